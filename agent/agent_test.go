package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/schema"
)

// stub is a module whose Apply is a function.
type stub struct {
	name  string
	batch bool
	apply func(ctx context.Context, h host.Host, c modules.Call) (modules.Result, error)
}

func (s stub) Name() string                            { return s.name }
func (s stub) Doc() string                             { return "Does nothing." }
func (s stub) Example() string                         { return "" }
func (s stub) Kind() modules.Kind                      { return modules.Resource }
func (s stub) Schema() *schema.Block                   { return &schema.Block{} }
func (s stub) Check(modules.Call) error                { return nil }
func (s stub) Ends() bool                              { return false }
func (s stub) Modelled() bool                          { return false }
func (s stub) Slow() bool                              { return false }
func (s stub) Waits() bool                             { return false }
func (s stub) Patience(modules.Call) *modules.Patience { return nil }
func (s stub) Listen(context.Context, host.Host, modules.Call) (modules.Result, modules.Ear, error) {
	return modules.Result{}, nil, errors.New("no far end")
}
func (s stub) Batch() string {
	if s.batch {
		return "stubs"
	}
	return ""
}
func (s stub) Prepare(context.Context, host.Host, []modules.Call) error { return nil }
func (s stub) Diff(context.Context, host.Host, modules.Call) (modules.Result, error) {
	return modules.Result{}, nil
}
func (s stub) Apply(ctx context.Context, h host.Host, c modules.Call) (modules.Result, error) {
	return s.apply(ctx, h, c)
}

// peer is the runner's side of a session with an agent that runs in this process.
type peer struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Reader
	done chan error
}

func start(t *testing.T, mods ...stub) *peer {
	t.Helper()
	return serve(t, context.Background(), empty(), mods...)
}

func (p *peer) read() *wire.Frame {
	p.t.Helper()
	f, err := wire.Read(p.out)
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return f
}

func (p *peer) send(fs ...*wire.Frame) {
	p.t.Helper()
	for _, f := range fs {
		if err := wire.Write(p.in, f); err != nil {
			p.t.Errorf("write: %v", err) // not Fatalf: it may run in a goroutine of its own
			return
		}
	}
}

func request(id, epoch int, module, params string) *wire.Frame {
	return &wire.Frame{Request: &wire.Request{ID: id, Epoch: epoch, Op: wire.Apply,
		Call: &modules.Call{Module: module, Params: json.RawMessage(params)}}}
}

func ok(context.Context, host.Host, modules.Call) (modules.Result, error) {
	return modules.Result{}, nil
}

func TestFailureDropsTheRestOfItsEpochOnly(t *testing.T) {
	fails := func(context.Context, host.Host, modules.Call) (modules.Result, error) {
		return modules.Result{}, errors.New("no")
	}
	p := start(t, stub{name: "good", apply: ok}, stub{name: "bad", apply: fails})
	go p.send(request(1, 0, "good", "{}"), request(2, 0, "bad", "{}"), request(3, 0, "good", "{}"), request(4, 1, "good", "{}"))
	var got []string
	for range 4 {
		r := p.read().Reply
		got = append(got, fmt.Sprintf("%d dropped=%t error=%t", r.ID, r.Dropped, r.Error != nil))
	}
	want := []string{"1 dropped=false error=false", "2 dropped=false error=true", "3 dropped=true error=false", "4 dropped=false error=false"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("replies\n got %q\nwant %q", got, want)
	}
}

func TestEndOfInputCancelsAndRunsNothingMore(t *testing.T) {
	started, later := make(chan bool, 1), make(chan bool, 1)
	hang := func(ctx context.Context, _ host.Host, _ modules.Call) (modules.Result, error) {
		started <- true
		<-ctx.Done()
		return modules.Result{}, ctx.Err()
	}
	mark := func(context.Context, host.Host, modules.Call) (modules.Result, error) {
		later <- true
		return modules.Result{}, nil
	}
	p := start(t, stub{name: "hang", apply: hang}, stub{name: "mark", apply: mark})
	p.send(request(1, 0, "hang", "{}"), request(2, 0, "mark", "{}"))
	<-started
	p.in.Close()
	go io.Copy(io.Discard, p.out)
	select {
	case err := <-p.done:
		p.done <- err
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the agent did not end with its input")
	}
	select {
	case <-later:
		t.Error("a queued request ran after the runner was gone")
	default:
	}
}

func TestTimeoutIsSaidAsSuch(t *testing.T) {
	hang := func(ctx context.Context, _ host.Host, _ modules.Call) (modules.Result, error) {
		<-ctx.Done()
		return modules.Result{}, ctx.Err()
	}
	p := start(t, stub{name: "hang", apply: hang})
	f := request(1, 0, "hang", "{}")
	f.Request.Timeout = time.Millisecond
	p.send(f)
	if r := p.read().Reply; r.Error == nil || r.Error.Kind != wire.KindTimeout || r.Error.Msg != "timeout of 1ms is over" {
		t.Errorf("error is %+v, want kind %s, and no more words than needed", r.Error, wire.KindTimeout)
	}
}

func TestBatchWaitsForWhatFollowsAndDropsBehindAFailure(t *testing.T) {
	var hosts []host.Host
	apply := func(_ context.Context, h host.Host, c modules.Call) (modules.Result, error) {
		hosts = append(hosts, h)
		if string(c.Params) == `"bad"` {
			return modules.Result{}, errors.New("no")
		}
		return modules.Result{}, nil
	}
	p := start(t, stub{name: "fw", batch: true, apply: apply})
	first := request(1, 0, "fw", "{}")
	first.Request.Follows = true
	p.send(first)
	time.Sleep(20 * time.Millisecond)
	p.send(request(2, 0, "fw", `"bad"`))
	p.send(request(3, 0, "fw", "{}"))
	if r := p.read().Reply; r.ID != 1 || r.Error != nil {
		t.Errorf("first reply is %+v", r)
	}
	if r := p.read().Reply; r.ID != 2 || r.Error == nil {
		t.Errorf("second reply is %+v, want an error", r)
	}
	if r := p.read().Reply; r.ID != 3 || !r.Dropped {
		t.Errorf("third reply is %+v, want dropped", r)
	}
	if len(hosts) < 2 || hosts[0] != hosts[1] || !host.Planning(hosts[0]) {
		t.Error("the batch was not applied to one copy of the host")
	}
}

// A request whose failure is tolerated does not keep what is behind it from being done, in a batch or alone.
func TestTolerantRequests(t *testing.T) {
	for _, batch := range []bool{false, true} {
		apply := func(_ context.Context, _ host.Host, c modules.Call) (modules.Result, error) {
			if string(c.Params) == `"bad"` {
				return modules.Result{}, errors.New("no")
			}
			return modules.Result{}, nil
		}
		p := start(t, stub{name: "fw", batch: batch, apply: apply})
		for id, params := range []string{"{}", `"bad"`, "{}"} {
			r := request(id+1, 0, "fw", params)
			r.Request.Follows, r.Request.Tolerant = id < 2, true
			p.send(r)
		}
		for id := 1; id <= 3; id++ {
			if r := p.read().Reply; r.ID != id || r.Dropped || (r.Error != nil) != (id == 2) {
				t.Errorf("batch %v: reply %d is %+v", batch, id, r)
			}
		}
	}
}
