package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// keeper is a host that keeps notices, and account of it.
type keeper struct {
	*memory.Host
	mu    sync.Mutex
	kept  map[host.NoticeID]host.Notice
	wrote int
	full  bool
}

func (k *keeper) Notices() host.Notices { return k }

func (k *keeper) List(context.Context) (out []host.Notice, err error) {
	for _, n := range k.kept {
		out = append(out, n)
	}
	return out, nil
}

func (k *keeper) Keep(_ context.Context, n host.Notice) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full {
		return errors.New("no space left on device")
	}
	k.kept[n.NoticeID] = n
	k.wrote++
	return nil
}

func (k *keeper) Drop(_ context.Context, id host.NoticeID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, id)
	return nil
}

func (k *keeper) handlers() (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, n := range k.kept {
		out = append(out, id.Handler+" "+n.Failed)
	}
	slices.Sort(out)
	return out
}

func notifying(id int, module string, handlers ...string) *wire.Frame {
	f := request(id, 0, module, "{}")
	for _, h := range handlers {
		f.Request.Notify = append(f.Request.Notify, host.NoticeID{Site: "s", Play: "p", Host: "h", Handler: h})
	}
	return f
}

func changes(context.Context, host.Host, modules.Call) (modules.Result, error) {
	return modules.Result{Diff: modules.Diff{Action: modules.Update}}, nil
}

// A handler is written down, once, before the runner hears of the change: alone or in a batch. What changes nothing, fails, or only
// looks writes nothing.
func TestHandlersAreWrittenDownWithTheChange(t *testing.T) {
	fails := func(context.Context, host.Host, modules.Call) (modules.Result, error) {
		return modules.Result{Diff: modules.Diff{Action: modules.Update}}, errors.New("no")
	}
	k := &keeper{Host: empty(), kept: map[host.NoticeID]host.Notice{}}
	p := serve(t, context.Background(), k, stub{name: "same", apply: ok}, stub{name: "new", apply: changes}, stub{name: "rule", batch: true, apply: changes}, stub{name: "bad", apply: fails})
	look := notifying(2, "new", "looked at")
	look.Request.Look = true
	bad := notifying(3, "bad", "failed")
	bad.Request.Tolerant = true
	for _, c := range []struct {
		frame *wire.Frame
		wrote int
	}{{notifying(1, "same", "unchanged"), 0}, {look, 0}, {bad, 0}, {notifying(4, "new", "restart"), 1}, {notifying(5, "new", "restart"), 1}, {notifying(6, "rule", "reload", "restart"), 2}} {
		p.send(c.frame)
		if p.read(); k.wrote != c.wrote {
			t.Errorf("request %d: written %d times, want %d", c.frame.Request.ID, k.wrote, c.wrote)
		}
	}
	if got := fmt.Sprint(k.handlers()); got != "[reload  restart ]" {
		t.Errorf("kept: %s", got)
	}
}

// The end of a play is told without an answer, and counts though the session ends behind it.
func TestWhatThePlayMakesOfHandlersIsTakenIn(t *testing.T) {
	id := func(h string) host.NoticeID { return host.NoticeID{Handler: h} }
	k := &keeper{Host: empty(), kept: map[host.NoticeID]host.Notice{id("old"): {NoticeID: id("old"), Since: 7}, id("done"): {NoticeID: id("done"), Since: 8}}}
	p := serve(t, context.Background(), k)
	p.send(&wire.Frame{Notices: &wire.Notices{Keep: []host.Notice{{NoticeID: id("old"), Failed: "copy./a"}, {NoticeID: id("new")}}, Drop: []host.NoticeID{id("done"), id("never")}}})
	p.in.Close()
	err := <-p.done
	p.done <- err
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(k.handlers()); got != "[new  old copy./a]" {
		t.Errorf("kept: %s", got)
	}
	if old, fresh := k.kept[id("old")].Since, k.kept[id("new")].Since; old != 7 || time.Since(time.Unix(fresh, 0)) > time.Hour {
		t.Errorf("since %d and %d", old, fresh)
	}
}

func TestHandlersThatCannotBeWrittenDownAreWarnedOf(t *testing.T) {
	k := &keeper{Host: empty(), kept: map[host.NoticeID]host.Notice{}, full: true}
	p := serve(t, context.Background(), k, stub{name: "new", apply: changes})
	p.send(notifying(1, "new", "restart"))
	want := `[handler "restart" is lost if the play fails before it has run: no space left on device]`
	if r := p.read().Reply; r.Error != nil || fmt.Sprint(r.Result.Warnings) != want {
		t.Errorf("%+v, want the warning %s", r.Result, want)
	}
}
