package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"labctl/agent"
	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// countedWriter counts writes.
type countedWriter struct {
	io.Writer
	n atomic.Int64
}

func (w *countedWriter) Write(p []byte) (int, error) { w.n.Add(1); return w.Writer.Write(p) }

func TestAheadIntroducesItselfWithTheFirstReplies(t *testing.T) {
	for ahead, want := range map[bool]int64{false: 2, true: 1} {
		synctest.Test(t, func(t *testing.T) { // by its own clock: what is held for long is said alone
			var in bytes.Buffer
			for id := 1; id <= 3; id++ {
				if err := wire.Write(&in, &wire.Frame{Request: &wire.Request{ID: id, Op: wire.Apply, Call: &modules.Call{Module: "bridge", Params: wire.Raw(`{"name":"b0"}`)}}}); err != nil {
					t.Fatal(err)
				}
			}
			inR, inW := io.Pipe()
			outR, outW := io.Pipe()
			w := &countedWriter{Writer: outW}
			go func() {
				h := memory.FromSnapshot(&host.Snapshot{Facts: host.Facts{OS: "linux"}})
				_ = outW.CloseWithError(agent.Serve(context.Background(), inR, w, h, agent.Options{Ahead: ahead}))
			}()
			go func() {
				time.Sleep(10 * time.Millisecond) // what is not held is said by now
				_, _ = inW.Write(in.Bytes())
			}()
			r := bufio.NewReader(outR)
			if _, err := r.Discard(len(wire.Magic)); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				if f, err := wire.Read(r); err != nil || i > 0 && f.Reply.Error != nil {
					t.Fatalf("frame %d: %v %v", i, f, err)
				}
			}
			_ = inW.Close()
			if got := w.n.Load(); got != want {
				t.Errorf("ahead %v: %d writes, want %d", ahead, got, want)
			}
		})
	}
}
