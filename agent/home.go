package agent

import (
	"context"
	"encoding/hex"

	"labctl/agent/wire"
	"labctl/modules/digest"
)

// home sends a file, in pieces, for the request that runs.
type home struct {
	s    *session
	ctx  context.Context
	id   int
	sum  *digest.Hash
	size int64
}

func (h *home) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if h.ctx.Err() != nil {
			return 0, context.Cause(h.ctx)
		}
		n := min(len(rest), wire.MaxPart)
		if err := wire.Write(h.s.out, &wire.Frame{Part: &wire.Part{ID: h.id, Data: rest[:n]}}); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	h.size += int64(len(p))
	return h.sum.Write(p)
}

func (h *home) Whole() (string, int64, error) {
	b := h.sum.Sum()
	sum := hex.EncodeToString(b[:])
	return sum, h.size, wire.Write(h.s.out, &wire.Frame{Part: &wire.Part{ID: h.id, Whole: sum}})
}
