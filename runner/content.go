package runner

import (
	"context"
	"fmt"
	"io"

	"labctl/agent/wire"
	"labctl/playbooks"
)

// contentPart is how much of a content goes in one frame, in bytes: with its head it is an SSH packet's worth.
const contentPart = sendBuffer - 16

// provide sends the content that the agent lacks, and says when that is all.
func (x *hostPlay) provide(ctx context.Context, n *wire.Need) {
	have := &wire.Have{ID: n.ID}
	r, size, err := x.content(ctx, n.SHA256)
	if err == nil {
		err = x.deliver(ctx, n.ID, io.LimitReader(r, size))
		_ = r.Close()
	}
	if err != nil {
		have.Error = err.Error()
	}
	if err := x.cur.send(&wire.Frame{Have: have}); err != nil {
		x.lost(err)
		return
	}
	x.flush()
}

// deliver sends what r holds, as fast as the agent takes it. It ends early when the agent has said something meanwhile: then
// it does not wait for the content any more.
func (x *hostPlay) deliver(ctx context.Context, need int, r io.Reader) error {
	buf := make([]byte, contentPart)
	for len(x.cur.frames) == 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := io.ReadFull(r, buf)
		switch {
		case err == io.EOF: //nolint:errorlint // ReadFull returns it as it is
			return nil
		case n == 0:
			return fmt.Errorf("read content: %w", err)
		}
		if err := x.cur.send(&wire.Frame{Part: &wire.Part{ID: need, Data: buf[:n]}}); err != nil {
			return err // the next frame cannot be sent either
		}
		x.flush()
	}
	return nil
}

// content opens a content of the tasks under way.
func (x *hostPlay) content(ctx context.Context, hash string) (r io.ReadCloser, size int64, err error) {
	ref, st, ok := x.fileOf(hash)
	if !ok {
		return nil, 0, fmt.Errorf("content %.12s is not of any task under way", hash)
	}
	if ref.URL != "" {
		if ref, err = x.download(ctx, st, ref); err != nil {
			return nil, 0, err
		}
	}
	if r, err = ref.Open(); err != nil {
		return nil, 0, fmt.Errorf("open content: %w", err)
	}
	return r, ref.Size, nil
}

func (x *hostPlay) fileOf(hash string) (playbooks.FileRef, playbooks.Step, bool) {
	for _, f := range x.sent {
		for _, ref := range f.step.Files {
			if ref.SHA256 == hash {
				return ref, f.step, true
			}
		}
	}
	return playbooks.FileRef{}, playbooks.Step{}, false
}
