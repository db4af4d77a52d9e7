// Package agent is the far end of a session: it reads requests, runs modules on a host, and answers. It knows modules, the
// wire and the host interface; it does not know which host it is given, how requests are made, or who started it.
package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"labctl/agent/wire"
	"labctl/modules"
	"labctl/modules/digest"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// Options tell Serve what the process around it knows.
type Options struct {
	Registry modules.Registry // nil: modules.Default
	Blobs    string           // where contents that the runner sends are put, named by SHA-256; it is made for the first
	Ahead    bool             // requests come without waiting for the introduction, see wire.AheadArgument
}

// contents is implemented by hosts that can fetch contents by hash.
type contents interface {
	SetBlobs(dir string, fetch func(ctx context.Context, sha string) error)
}

// Serve introduces itself on out, then answers the requests that come on in, in order, until in or life ends. When that is in
// the middle of a request, it is cancelled and nothing that was queued behind it is executed.
func Serve(life context.Context, in io.Reader, out io.Writer, h host.Host, o Options) error {
	ctx, cancel := context.WithCancel(life)
	defer cancel()
	if o.Registry == nil {
		o.Registry = modules.Default
	}
	s := &session{host: h, reg: o.Registry, contents: &arrivals{dir: o.Blobs}, failed: -1, out: newOutput(out), quiet: o.Ahead}
	if c, ok := h.(contents); ok {
		c.SetBlobs(o.Blobs, s.fetch)
	}
	if err := s.hello(ctx); err != nil {
		return err
	}
	if !o.Ahead {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.queue = newQueue()
	defer s.deafen()
	defer context.AfterFunc(life, func() { s.queue.close(context.Cause(life)) })()
	go s.receive(in, cancel)
	return s.loop(ctx)
}

// session is the state of one Serve. Only loop's goroutine touches it, but for the queue and the contents.
type session struct {
	host     host.Host
	reg      modules.Registry
	queue    *queue
	contents *arrivals
	out      *output
	quiet    bool         // the introduction waits for the first request
	plan     *memory.Host // the copy that plans run on; made by the first
	failed   int          // epoch of the last failure: requests of it, or of one before, are dropped
	ear      modules.Ear  // the far end that is open; nil: none
	notices  notices      // of handlers that have not run
}

func (s *session) hello(ctx context.Context) error {
	facts, err := s.host.Facts(ctx)
	if err != nil {
		return fmt.Errorf("gather facts: %w", err)
	}
	if _, err := io.WriteString(s.out, wire.Magic); err != nil {
		return err
	}
	list := s.notices.open(ctx, s.host)
	hello := &wire.Hello{Version: wire.Version, PID: os.Getpid(), UID: os.Getuid(), Facts: facts, Notices: list, Keeps: s.notices.kept != nil}
	return wire.Write(s.out, &wire.Frame{Hello: hello})
}

// receive feeds the queue until the input ends, then cancels what is running.
func (s *session) receive(in io.Reader, cancel context.CancelFunc) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		f, err := wire.Read(r)
		switch {
		case err != nil:
			s.queue.close(err)
			cancel()
			return
		case f.Request != nil:
			s.queue.push(f.Request)
		case f.Part != nil:
			s.contents.take(f.Part)
		case f.Have != nil:
			s.contents.end(f.Have)
		case f.Notices != nil:
			s.notices.take(context.Background(), f.Notices) // the session may be ending
		case f.Cancel != nil:
			s.queue.cancel()
			cancel()
		}
	}
}

// idler is implemented by hosts that remember what they have read for the requests behind.
type idler interface{ Idle() }

func (s *session) loop(ctx context.Context) error {
	for {
		if s.queue.empty() && !s.quiet {
			if err := s.flush(); err != nil {
				return err
			}
			if h, ok := s.host.(idler); ok { // another user's agent may have its turn now
				h.Idle()
			}
		}
		r, err := s.queue.pop()
		if err != nil {
			_ = s.flush() // the runner may be gone
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if s.quiet {
			s.quiet = false
			s.out.hold()
		}
		if err := s.serve(ctx, r); err != nil {
			return err
		}
	}
}

// serve runs one request, or the batch that begins with it, and answers.
func (s *session) serve(ctx context.Context, r *wire.Request) error {
	if r.Epoch <= s.failed && !r.Op.Aside() || ctx.Err() != nil {
		return s.reply(&wire.Reply{ID: r.ID, Dropped: true})
	}
	if what := s.batchable(r); what != "" {
		alike := func(o *wire.Request) bool { return s.batchable(o) == what }
		return s.batch(ctx, append([]*wire.Request{r}, s.queue.run(r, alike)...))
	}
	return s.reply(s.one(ctx, r))
}

// one runs a single request.
func (s *session) one(ctx context.Context, r *wire.Request) *wire.Reply {
	if r.Timeout > 0 && r.Op != wire.Start {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	start := time.Now()
	rep := &wire.Reply{ID: r.ID}
	err := s.run(ctx, r, rep)
	rep.Duration = time.Since(start)
	if err != nil {
		rep.Error = s.wireError(ctx, r, err)
		if !r.Op.Aside() && !r.Tolerant {
			s.failed = max(s.failed, r.Epoch)
		}
	}
	s.notices.note(context.WithoutCancel(ctx), r, rep)
	return rep
}

func (s *session) run(ctx context.Context, r *wire.Request, rep *wire.Reply) error {
	if r.Op == wire.Snapshot || r.Op == wire.Network {
		var err error
		if r.Op == wire.Network {
			rep.Snapshot, err = memory.NetworkSnapshot(ctx, s.host, "")
		} else {
			rep.Snapshot, err = memory.Snapshot(ctx, s.host, "", r.Files)
		}
		return err
	}
	if r.Op == wire.Start && r.Call != nil || r.Op == wire.Fetch {
		return s.job(ctx, r, rep)
	}
	if r.Call == nil || r.Op != wire.Apply && r.Op != wire.Plan && !r.Op.Aside() {
		return fmt.Errorf("request %d: operation %q is not known", r.ID, r.Op)
	}
	m, err := s.reg.Lookup(r.Call.Module)
	if err != nil {
		return err
	}
	if r.Op == wire.Listen || r.Op == wire.Collect {
		return s.farEnd(ctx, r, m, rep)
	}
	h := s.model(r)
	if h == s.host && m.Kind() != modules.Resource {
		if err := s.flush(); err != nil { // it may take long: let the runner see what is done so far
			return err
		}
	}
	if err := expected(ctx, h, m, r); err != nil {
		return err
	}
	res, err := m.Apply(host.WithHome(ctx, &home{s: s, ctx: ctx, id: r.ID, sum: digest.New()}), h, *r.Call)
	rep.Result = &res
	return err
}

// model is what a request is carried out on: the host, or a copy of it.
func (s *session) model(r *wire.Request) host.Host {
	h := s.host
	if r.Op == wire.Plan {
		h = s.planHost()
	}
	if r.Look {
		return memory.New(h)
	}
	return h
}

func (s *session) planHost() *memory.Host {
	if s.plan == nil {
		s.plan = memory.New(s.host)
	}
	return s.plan
}

// fetch asks the runner for a content and waits until it is in place. It runs inside a request.
func (s *session) fetch(ctx context.Context, sha string) error {
	id, done := s.contents.expect(sha)
	if err := wire.Write(s.out, &wire.Frame{Need: &wire.Need{ID: id, SHA256: sha}}); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		s.contents.forget()
		return context.Cause(ctx)
	}
}

// reply answers, and flushes when the runner has been waiting for a while.
func (s *session) reply(rep *wire.Reply) error {
	if err := wire.Write(s.out, &wire.Frame{Reply: rep}); err != nil {
		return err
	}
	if s.out.age() > 20*time.Millisecond {
		return s.flush()
	}
	return nil
}

func (s *session) flush() error { return s.out.flush() }

// atWork is what err says beside that the time is over, to be put behind it.
func atWork(err error) string {
	text, _ := strings.CutSuffix(err.Error(), context.DeadlineExceeded.Error())
	if text = strings.TrimSuffix(text, ": "); text == "" {
		return ""
	}
	return ": " + text
}

func (s *session) wireError(ctx context.Context, r *wire.Request, err error) *wire.Error {
	e := &wire.Error{Kind: wire.KindHost, Msg: err.Error()}
	var ae *modules.ArgumentError
	switch {
	case errors.As(err, &ae):
		e.Kind, e.Path, e.Msg = wire.KindArgument, ae.Path, ae.Msg
		if s.isProbe(r) { // its arguments are right, or it would not have been sent: they say what was expected
			e.Kind = wire.KindProbe
		}
	case errors.Is(err, errMoved):
		e.Kind = wire.KindMoved
	case errors.Is(err, modules.ErrNotConverged):
		e.Kind = wire.KindNotConverged
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Kind, e.Msg = wire.KindTimeout, fmt.Sprintf("timeout of %s is over%s", r.Timeout, atWork(err))
	case errors.Is(err, context.Canceled):
		e.Kind, e.Msg = wire.KindCancelled, "interrupted"
	case s.isProbe(r):
		e.Kind = wire.KindProbe
	}
	if (errors.Is(err, host.ErrPermission) || errors.Is(err, os.ErrPermission)) && os.Geteuid() != 0 {
		e.Msg += "; the agent is not root there: is become = true missing?"
	}
	return e
}

func (s *session) isProbe(r *wire.Request) bool {
	return r.Call != nil && s.reg[r.Call.Module] != nil && s.reg[r.Call.Module].Kind() == modules.Probe
}

// batchable names what r may change together with its neighbours, "" when it is applied by itself.
func (s *session) batchable(r *wire.Request) string {
	if r.Call == nil || r.Op != wire.Apply || r.Look || r.Epoch <= s.failed {
		return ""
	}
	m := s.reg[r.Call.Module]
	if m == nil {
		return ""
	}
	return m.Batch()
}

// maxBatch bounds how many requests are held back for one commit.
const maxBatch = math.MaxInt16

// names returns the modules of a batch in order of appearance.
func names(reqs []*wire.Request) []string {
	var out []string
	for _, r := range reqs {
		if !slices.Contains(out, r.Call.Module) {
			out = append(out, r.Call.Module)
		}
	}
	return out
}
