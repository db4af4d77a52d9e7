package agent_test

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"labctl/agent"
	"labctl/agent/wire"
	"labctl/modules"
)

// FuzzAgent gives an agent any bytes for requests. It answers or ends, soon, and what it says is frames.
func FuzzAgent(f *testing.F) {
	for _, frames := range [][]*wire.Frame{
		{request(1, 0, "ok", "{}"), request(2, 1, "ok", `{"a": [1]}`)},
		{request(1, 0, "none", "null"), {Cancel: &wire.Cancel{}}},
		{request(1, 0, "ok", "{}"), {Part: &wire.Part{Data: []byte("x")}}},
		{request(-1, -1, "batch", "{}"), request(-1, 0, "batch", "3")},
	} {
		var b bytes.Buffer
		for _, frame := range frames {
			if err := wire.Write(&b, frame); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(b.Bytes())
	}
	reg := modules.Registry{"ok": stub{name: "ok", apply: ok}, "batch": stub{name: "batch", batch: true, apply: ok}}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1 && in[0]&0x80 == 0 && (in[0] > 0 || in[1] > 16) {
			return // a length that only takes memory
		}
		var out bytes.Buffer
		_ = agent.Serve(t.Context(), bytes.NewReader(in), &out, empty(), agent.Options{Registry: reg, Blobs: t.TempDir()})
		r := bufio.NewReader(&out)
		if _, err := r.Discard(len(wire.Magic)); err != nil {
			t.Fatalf("it does not introduce itself: %v", err)
		}
		for {
			if _, err := wire.Read(r); err == io.EOF { //nolint:errorlint // as it is
				return
			} else if err != nil {
				t.Fatalf("the agent says what is no frame: %v", err)
			}
		}
	})
}
