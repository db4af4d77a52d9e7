package memory

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"path"
	"strings"
	"syscall"

	"labctl/modules/host"
)

func (f hostFiles) Read(ctx context.Context, p string, limit int64) ([]byte, error) {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	return f.readLocked(ctx, p, limit)
}

func (f hostFiles) readLocked(ctx context.Context, p string, limit int64) ([]byte, error) {
	_, n, err := f.existing(ctx, "read", p, true)
	switch {
	case err != nil:
		return nil, err
	case n.Type == host.Directory:
		return nil, fail("read", p, syscall.EISDIR)
	case n.Type != host.RegularFile:
		return nil, fail("read", p, syscall.EINVAL)
	case n.content == nil:
		return f.h.base.Files().Read(ctx, n.origin, limit)
	case n.Size > limit:
		return nil, fail("read", p, syscall.EFBIG)
	}
	r, err := f.Open(ctx, *n.content)
	if err != nil {
		return nil, &host.Error{Op: "read", Object: p, Err: err}
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (f hostFiles) CopyTo(ctx context.Context, p string, w io.Writer) error {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	_, n, err := f.existing(ctx, "read", p, true)
	if err == nil && n.Type == host.RegularFile && n.content == nil {
		return f.h.base.Files().CopyTo(ctx, n.origin, w)
	}
	b, err := f.readLocked(ctx, p, math.MaxInt64-1)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// Open returns inline content, and content by hash through the base, which asks the runner for it.
func (f hostFiles) Open(ctx context.Context, c host.Content) (io.ReadCloser, error) {
	switch {
	case c.Inline != nil || c.SHA256 == "" || c.SHA256 == hash(nil):
		return io.NopCloser(bytes.NewReader(c.Inline)), nil
	case f.h.base == nil:
		return nil, errNotRecorded
	}
	return f.h.base.Files().Open(ctx, c)
}

func (f hostFiles) Write(ctx context.Context, p string, c host.Content, a host.FileAttrs) error {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	if c.Inline != nil || c.SHA256 == "" {
		c = host.Content{Inline: append([]byte{}, c.Inline...), SHA256: hash(c.Inline), Size: int64(len(c.Inline))}
	}
	return f.place(ctx, "write", p, &c, "", a)
}

// place puts a regular file at p with content c, or that of the base's file origin, keeping what attributes are there.
func (f hostFiles) place(ctx context.Context, op, p string, c *host.Content, origin string, a host.FileAttrs) error {
	if strings.HasSuffix(p, "/") {
		return fail(op, p, syscall.EISDIR)
	}
	at, n, err := f.walk(ctx, op, p, true)
	if op == "copy" && errors.Is(err, errNotRecorded) { // a backup: its name has the time in it, and nothing can be there
		var dir string
		dir, _, err = f.existing(ctx, op, path.Dir(p), true)
		at = path.Join(dir, path.Base(p))
	}
	if err != nil {
		return err
	}
	switch {
	case n == nil:
		n = &node{File: host.File{Type: host.RegularFile, Mode: 0o644}}
		f.add(ctx, at, n, a)
	case n.Type == host.Directory:
		return fail(op, p, syscall.EISDIR)
	case n.Type != host.RegularFile:
		return fail(op, p, syscall.EINVAL)
	default:
		f.set(ctx, n, a)
		f.h.wrote()
	}
	n.content, n.origin, n.SHA256 = c, origin, ""
	if c != nil {
		n.Size, n.SHA256 = c.Size, c.SHA256
	}
	return nil
}

func (f hostFiles) Copy(ctx context.Context, from, to string) error {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	_, n, err := f.existing(ctx, "copy", from, true)
	if err != nil {
		return err
	}
	if n.Type != host.RegularFile {
		return fail("copy", from, syscall.EINVAL)
	}
	src := *n
	if err := f.place(ctx, "copy", to, src.content, src.origin, host.FileAttrs{Mode: &src.Mode, Owner: src.Owner, Group: src.Group}); err != nil {
		return err
	}
	_, dst, err := f.existing(ctx, "copy", to, true)
	if err == nil {
		dst.Size, dst.SHA256, dst.UID, dst.GID = src.Size, src.SHA256, src.UID, src.GID
	}
	return err
}
