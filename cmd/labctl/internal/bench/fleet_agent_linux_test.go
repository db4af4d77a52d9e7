package bench

import (
	"bufio"
	"bytes"
	"context"
	enc "encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"labctl/agent"
	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// recording is what an agent says in a play of the fleet: its introduction, and its answer to each request. It is played
// to every host, for an agent each would take the processors away from the controller that is measured.
type recording struct {
	hello   []byte
	replies [][]byte
}

// newRecording plays the fleet's tasks to an agent for a host in memory.
func newRecording(ctx context.Context) (*recording, error) {
	var in bytes.Buffer
	for i := range fleetMost {
		params := json.RawMessage(fmt.Sprintf(`{"name":"br%d","mtu":%d}`, i, fleetMTU+i))
		err := wire.Write(&in, &wire.Frame{Request: &wire.Request{ID: i + 1, Op: wire.Apply, Call: &modules.Call{Module: "bridge", Params: params}}})
		if err != nil {
			return nil, err
		}
	}
	requests, feed := io.Pipe() // the end of input would cut the agent short
	defer feed.Close()
	go io.Copy(feed, &in)
	ctx, done := context.WithCancel(ctx)
	defer done()
	said, answers := io.Pipe()
	go func() {
		h := memory.FromSnapshot(&host.Snapshot{Facts: host.Facts{Hostname: "memory", OS: "linux", Architecture: "x86_64"}})
		_ = answers.CloseWithError(agent.Serve(ctx, requests, answers, h, agent.Options{}))
	}()
	r := bufio.NewReader(said)
	if _, err := r.Discard(len(wire.Magic)); err != nil {
		return nil, err
	}
	rec := &recording{}
	for i := range 1 + fleetMost {
		frame, err := rawFrame(r)
		if err != nil {
			return nil, fmt.Errorf("record frame %d: %w", i, err)
		}
		if i == 0 {
			rec.hello = append([]byte(wire.Magic), frame...)
			continue
		}
		rec.replies = append(rec.replies, frame)
	}
	return rec, nil
}

// rawFrame reads a frame as it is: four bytes of length, and as many.
func rawFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := enc.BigEndian.Uint32(head)
	if n > 1<<20 {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := append(head, make([]byte, n)...)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// play answers the requests on in as they come.
func (rec *recording) play(in io.Reader, out io.Writer) error {
	r, w := bufio.NewReader(in), bufio.NewWriter(out)
	for line := ""; line != "labctl-input\n"; { // what the script that looks for the agent reads
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			return err
		}
	}
	if _, err := w.Write(rec.hello); err != nil {
		return err
	}
	for _, reply := range rec.replies {
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if _, err := rawFrame(r); err != nil {
			return err
		}
		if _, err := w.Write(reply); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r)
	return err
}
