package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"labctl/agent"
	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// fetching is a host that takes contents.
type fetching struct {
	host.Host
	fetch func(ctx context.Context, sha string) error
}

func (f *fetching) SetBlobs(_ string, fetch func(context.Context, string) error) { f.fetch = fetch }

// serve runs an agent on h until life ends, and returns the runner's side of it behind the hello.
func serve(t *testing.T, life context.Context, h host.Host, mods ...stub) *peer {
	t.Helper()
	reg := modules.Registry{}
	for _, m := range mods {
		reg[m.name] = m
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p := &peer{t: t, in: inW, out: bufio.NewReader(outR), done: make(chan error, 1)}
	go func() {
		err := agent.Serve(life, inR, outW, h, agent.Options{Registry: reg})
		outW.Close()
		p.done <- err
	}()
	t.Cleanup(func() { inW.Close(); outR.Close(); <-p.done })
	magic := make([]byte, len(wire.Magic))
	if _, err := io.ReadFull(p.out, magic); err != nil || string(magic) != wire.Magic {
		t.Fatalf("agent began with %q, %v", magic, err)
	}
	if f := p.read(); f.Hello == nil || f.Hello.Version != wire.Version {
		t.Fatalf("first frame is %+v, not a hello", f)
	}
	return p
}

func empty() *memory.Host {
	return memory.FromSnapshot(&host.Snapshot{Version: host.SnapshotVersion, NetNS: map[string]*host.NetState{"": {}}})
}

// SIGTERM ends the life of an agent, also of one that has nothing to do and whose input is open.
func TestEndOfLifeEndsAnIdleAgent(t *testing.T) {
	life, end := context.WithCancelCause(context.Background())
	p := serve(t, life, empty())
	end(errors.New("signal: terminated"))
	select {
	case err := <-p.done:
		p.done <- err
		if err == nil || !strings.Contains(err.Error(), "terminated") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the agent lives on")
	}
}

// The answer to a request for content that came too late is not taken for that to the next one.
func TestLateContentIsNotMistaken(t *testing.T) {
	h := &fetching{Host: empty()}
	get := func(ctx context.Context, _ host.Host, c modules.Call) (modules.Result, error) {
		var sha string
		if err := json.Unmarshal(c.Params, &sha); err != nil {
			return modules.Result{}, err
		}
		return modules.Result{}, h.fetch(ctx, sha)
	}
	p := serve(t, context.Background(), h, stub{name: "get", apply: get})
	first := request(1, 0, "get", `"aa"`)
	first.Request.Timeout = 10 * time.Millisecond
	p.send(first)
	if n := p.read().Need; n == nil || n.ID != 1 || n.SHA256 != "aa" {
		t.Fatalf("need %+v", n)
	}
	if r := p.read().Reply; r == nil || r.Error == nil || r.Error.Kind != wire.KindTimeout {
		t.Fatalf("reply %+v", r)
	}
	p.send(&wire.Frame{Have: &wire.Have{ID: 1, Error: "too late"}}, request(2, 1, "get", `"bb"`))
	if n := p.read().Need; n == nil || n.ID != 2 {
		t.Fatalf("need %+v", n)
	}
	p.send(&wire.Frame{Part: &wire.Part{ID: 1, Data: []byte("late")}}, &wire.Frame{Have: &wire.Have{ID: 1}})
	time.Sleep(20 * time.Millisecond) // for it to be mistaken
	p.send(&wire.Frame{Have: &wire.Have{ID: 2, Error: "no such file"}})
	if r := p.read().Reply; r == nil || r.Error == nil || r.Error.Msg != "no such file" {
		t.Fatalf("reply %+v", r)
	}
}
