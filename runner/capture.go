package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"labctl/agent/wire"
	"labctl/inventory"
	"labctl/modules"
	"labctl/modules/packet"
	"labctl/playbooks"
)

// Captured tells how many frames a capture had, and how many it lost.
type Captured struct {
	Frames  int `json:"frames"`
	Dropped int `json:"dropped"`
}

// Capture writes what passes a device of a host to w, as a pcap file, until ctx ends. Params are arguments of the module capture:
// the device, the filter and the namespace.
func Capture(ctx context.Context, o Opener, h *inventory.Host, become string, params map[string]any, w io.Writer) (total Captured, err error) {
	life, cut := context.WithCancel(context.WithoutCancel(ctx)) // what has been captured when ctx ends is still brought home
	defer cut()
	l, err := o.open(life, h, playbooks.Identity{User: become}, false, notices{log: func(int, string) {}})
	if err != nil {
		return total, err
	}
	s := newSession(l, time.Now())
	defer func() { _ = s.close() }()
	params["name"], params["start"] = "labctl capture", true
	if _, err := s.ask(life, 1, params, nil); err != nil {
		return total, err
	}
	going := map[string]any{"name": "labctl capture", "start": true, "stop": true, "pcap": "-", "wait": "250ms", "deadline": "0s"}
	for id := 2; ; id++ {
		last := ctx.Err() != nil
		if last {
			going["start"], going["wait"] = false, "0s"
		}
		header := 0
		if id > 2 {
			header = len(packet.FileHeader()) // there is one already
		}
		state, err := s.ask(life, id, going, func(p *wire.Part) error {
			n := min(header, len(p.Data))
			header -= n
			if _, err := w.Write(p.Data[n:]); err != nil {
				return fmt.Errorf("write capture: %w", err)
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		var got Captured
		if err := json.Unmarshal(state, &got); err != nil {
			return total, fmt.Errorf("read capture: %w", err)
		}
		total.Frames, total.Dropped = total.Frames+got.Frames, got.Dropped
		if last {
			return total, nil
		}
	}
}

// ask runs a probe and returns what it has seen. What it brings home goes to part.
func (s *session) ask(ctx context.Context, id int, params map[string]any, part func(*wire.Part) error) (json.RawMessage, error) {
	b, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	if err := s.send(&wire.Frame{Request: &wire.Request{ID: id, Op: wire.Apply, Call: &modules.Call{Module: "capture", Params: b}}}); err != nil {
		return nil, err
	}
	if err := s.flush(); err != nil {
		return nil, err
	}
	for {
		select {
		case f, ok := <-s.frames:
			switch {
			case !ok:
				return nil, s.lost()
			case f.Part != nil:
				if err := part(f.Part); err != nil {
					return nil, err
				}
			case f.Reply != nil && f.Reply.Error != nil:
				return nil, errors.New(f.Reply.Error.Msg)
			case f.Reply != nil:
				return f.Reply.Result.State, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
