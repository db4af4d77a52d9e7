package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"labctl/agent"
	"labctl/inventory"
	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/playbooks"
)

// bed serves agents in this process, each on a host of its own, with the module act. It is an Opener that keeps account.
type bed struct {
	t    *testing.T
	down map[string]error         // hosts that cannot be reached
	hang map[string]chan struct{} // acts named hang wait for it, by host; nil: for the end of their context

	mu      sync.Mutex
	opened  []string // "host/user", in order
	done    []string // "host/user: act", in order
	running int      // sessions open
	most    int      // of running
	writes  atomic.Int64
	cut     map[string]func() // ends the session of a host at once
	begun   chan string       // hosts at whose agent an act named hang has begun
	noRoom  bool              // for contents
	slow    time.Duration     // to open a session
	notes   map[string]*note
	more    []string                  // modules that are known beside those for tests
	nothing map[string]host.FileState // where their files may be, and are not
	absent  map[string]int            // how many more times a host is not there
	keepers map[string]*keeper        // of handlers that have not run, by "host/user"; nil: none are kept
	boots   map[string][]string       // boot IDs of a host, by session; the last one stays
}

// act is a task that does as its name says: fail, hang, deaf, die; anything else goes well. What it says comes back.
type act struct {
	Name string `json:"name" lab:"key" doc:"What to do."`
	Say  string `json:"say" doc:"What to return."`
	Out  string `json:"out" lab:"computed" doc:"What was said."`
	Same *bool  `json:"same" doc:"Nothing changes."`
}

// look is a probe; one named bad fails. What it says comes back.
type look struct {
	Name string `json:"name" lab:"key" doc:"What to look at."`
	Say  string `json:"say" doc:"What to return."`
	Out  string `json:"out" lab:"computed" doc:"What was said."`
}

// wait waits for the host. restart does as its name says, like act.
type wait struct {
	Name    string   `json:"name" lab:"key" doc:"What for."`
	Elapsed *float64 `json:"elapsed" lab:"computed" doc:"How long."`
}

type restart struct {
	Name    string   `json:"name" lab:"key" doc:"What to do."`
	Elapsed *float64 `json:"elapsed" lab:"computed" doc:"How long."`
}

// pair is a probe between two hosts. Its far end fails at what is named deaf, the near one at mute, the verdict at bad.
type pair struct {
	Name  string `json:"name" lab:"key" doc:"What to do."`
	Port  int    `json:"port" lab:"computed" doc:"What the far end says."`
	Heard string `json:"heard" lab:"computed" doc:"What was sent."`
	modules.Between
}

// note is a resource that each session has one of. It warns.
type note struct {
	Name string `json:"name" lab:"key" doc:"Name."`
	Say  string `json:"say" doc:"What it says."`
}

// put is a task that wants a content of the controller.
type put struct {
	Dest    string  `json:"dest" lab:"key" doc:"Where to."`
	Src     string  `json:"src" lab:"option" doc:"Where from."`
	Content *string `json:"content" doc:"The content."`
	SHA256  string  `json:"sha256" doc:"Its hash."`
	Size    int64   `json:"size" lab:"option" doc:"Its size."`
}

// testHost is a memory host that counts as real, and takes contents.
type testHost struct {
	host.Host
	blobs string
	fetch func(ctx context.Context, sha string) error
}

func (h *testHost) SetBlobs(dir string, fetch func(context.Context, string) error) {
	h.blobs, h.fetch = dir, fetch
}

func newBed(t *testing.T) *bed {
	return &bed{t: t, down: map[string]error{}, hang: map[string]chan struct{}{}, cut: map[string]func(){}, begun: make(chan string, 16), notes: map[string]*note{},
		absent: map[string]int{}, boots: map[string][]string{}}
}

// registry returns the modules as they are on a host, for a user.
func (b *bed) registry(name, user string) modules.Registry {
	where := name + "/" + user
	r := modules.Registry{}
	for _, name := range []string{modules.SetFactName, "fail", modules.AddHostName, modules.GroupByName} { // these act on this side
		r[name] = modules.Default[name]
	}
	for _, m := range []modules.Module{
		modules.New(modules.Spec[act]{
			Name: "act", Doc: "For tests.",
			Run: func(ctx context.Context, _ host.Host, a *act) (*act, bool, error) { return b.act(ctx, name, where, a) },
		}),
		modules.New(modules.Spec[wait]{
			Name: "wait", Doc: "For tests.", Modelled: true,
			Patience: func(*wait) modules.Patience {
				return modules.Patience{Sleep: time.Millisecond, Timeout: 200 * time.Millisecond}
			},
			Probe: func(_ context.Context, _ host.Host, w *wait) (*wait, error) { b.say("%s: wait", where); return w, nil },
		}),
		modules.New(modules.Spec[restart]{
			Name: "restart", Doc: "For tests.",
			Patience: func(*restart) modules.Patience {
				return modules.Patience{Sleep: time.Millisecond, Timeout: 300 * time.Millisecond, Restart: true}
			},
			Run: func(ctx context.Context, _ host.Host, r *restart) (*restart, bool, error) {
				_, _, err := b.act(ctx, name, where, &act{Name: r.Name})
				return r, true, err
			},
		}),
		modules.New(modules.Spec[look]{
			Name: "look", Doc: "For tests.",
			Probe: func(_ context.Context, _ host.Host, l *look) (*look, error) { return b.look(where, l) },
		}),
		modules.New(modules.Spec[pair]{
			Name: "pair", Doc: "For tests.",
			Probe: func(_ context.Context, _ host.Host, p *pair) (*pair, error) { return b.knock(where, p) },
			Listen: func(_ context.Context, _ host.Host, p *pair) (func(*pair) (*pair, error), error) {
				return b.listen(name, where, p)
			},
		}),
		modules.New(modules.Spec[note]{
			Name: "note", Doc: "For tests.",
			Warn: func(n *note) []string { return []string{"beware of " + n.Say} },
			Read: func(context.Context, host.Host, *note) (*note, error) { return b.noted(where), nil },
			Apply: func(_ context.Context, _ host.Host, _, want *note, _ modules.Diff) error {
				b.note(where, want)
				return nil
			},
		}),
		modules.New(modules.Spec[put]{
			Name: "put", Doc: "For tests.",
			Run: func(ctx context.Context, h host.Host, p *put) (*put, bool, error) {
				return p, true, b.put(ctx, h, where, p)
			},
		}),
	} {
		r[m.Name()] = m
	}
	for _, n := range b.more {
		r[n] = modules.Default[n]
	}
	return r
}

// boot tells the boot ID of a host that is there.
func (b *bed) boot(name string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.absent[name] > 0 {
		b.absent[name]--
		return "", errDown
	}
	ids := b.boots[name]
	if len(ids) == 0 {
		return "", nil
	}
	if len(ids) > 1 {
		b.boots[name] = ids[1:]
	}
	return ids[0], nil
}

func (b *bed) act(ctx context.Context, name, where string, a *act) (*act, bool, error) {
	b.mu.Lock()
	b.done = append(b.done, where+": "+a.Name)
	cut, hang := b.cut[name], b.hang[name]
	b.mu.Unlock()
	a.Out = a.Say
	switch a.Name {
	case "fail":
		return a, false, fmt.Errorf("it went wrong with %s", a.Say)
	case "hang":
		b.begun <- name
		select {
		case <-hang:
		case <-ctx.Done():
			return a, false, ctx.Err()
		}
	case "deaf": // to cancellation
		b.begun <- name
		time.Sleep(time.Second)
	case "die":
		cut()
	}
	return a, a.Same == nil || !*a.Same, nil
}

func (b *bed) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, fmt.Sprintf(format, args...))
}

func (b *bed) knock(where string, p *pair) (*pair, error) {
	b.say("%s: knock %s at %s:%d", where, p.Name, p.Address, p.Port)
	p.Heard = "from " + where
	if p.Name == "mute" {
		return p, errors.New("it cannot speak")
	}
	return p, nil
}

func (b *bed) listen(name, where string, p *pair) (func(*pair) (*pair, error), error) {
	b.say("%s: listen %s", where, p.Name)
	switch p.Name {
	case "deaf":
		return nil, errors.New("it cannot hear")
	case "die":
		b.mu.Lock()
		cut := b.cut[name]
		b.mu.Unlock()
		cut()
	}
	p.Port = 7
	return func(p *pair) (*pair, error) {
		b.say("%s: judge %s heard %q", where, p.Name, p.Heard)
		if p.Name == "bad" {
			return p, errors.New("it got lost")
		}
		return p, nil
	}, nil
}

func (b *bed) look(where string, l *look) (*look, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, where+": look "+l.Name)
	l.Out = l.Say
	if l.Name == "bad" {
		return l, errors.New("it looks bad")
	}
	return l, nil
}

func (b *bed) noted(where string) *note {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notes[where]
}

func (b *bed) note(where string, n *note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes[where] = n
}

func (b *bed) put(ctx context.Context, h host.Host, where string, p *put) error {
	th := h.(*testHost)
	path := filepath.Join(th.blobs, p.SHA256)
	if err := th.fetch(ctx, p.SHA256); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if sum := sha256.Sum256(text); err == nil && hex.EncodeToString(sum[:]) != p.SHA256 {
		err = fmt.Errorf("%d bytes have come, with another sum, not %d", len(text), p.Size)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, where+": put "+p.Dest)
	return err
}

// countedPipe counts the writes of the runner: what goes out in one is one flight.
type countedPipe struct {
	io.WriteCloser
	n *atomic.Int64
}

func (c countedPipe) Write(p []byte) (int, error) { c.n.Add(1); return c.WriteCloser.Write(p) }

func (b *bed) open(_ context.Context, h *inventory.Host, become playbooks.Identity, ahead bool, _ notices) (*link, error) {
	time.Sleep(b.slow)
	if err := b.down[h.Name]; err != nil {
		return nil, err
	}
	boot, err := b.boot(h.Name)
	if err != nil {
		return nil, err
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan struct{})
	blobs := b.t.TempDir()
	if b.noRoom {
		blobs += "/none"
		if err := os.WriteFile(blobs, nil, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	cut := func() { _ = inR.CloseWithError(io.ErrClosedPipe); _ = outW.CloseWithError(io.EOF) }
	b.mu.Lock()
	b.opened = append(b.opened, h.Name+"/"+become.User)
	b.running++
	b.most = max(b.most, b.running)
	b.cut[h.Name] = cut
	b.mu.Unlock()
	own := &testHost{Host: struct{ host.Host }{memory.FromSnapshot(&host.Snapshot{Version: host.SnapshotVersion,
		Facts: host.Facts{Hostname: h.Name + ".test", BootID: boot}, Files: b.nothing, NetNS: map[string]*host.NetState{"": {}}})}}
	go func() {
		defer close(ended)
		_ = outW.CloseWithError(agent.Serve(context.Background(), inR, outW, b.keeping(own, h.Name+"/"+become.User), agent.Options{Registry: b.registry(h.Name, become.User), Blobs: blobs, Ahead: ahead}))
	}()
	return &link{
		stdin: countedPipe{inW, &b.writes}, stdout: outR,
		cost: func() *Cost { return nil },
		close: func() error {
			_ = inW.Close()
			_ = outR.Close()
			<-ended
			b.mu.Lock()
			b.running--
			b.mu.Unlock()
			return nil
		},
	}, nil
}

// run plays a site and returns the events. Options are completed.
func (b *bed) run(ctx context.Context, text string, o Options, watch ...func(Event)) []Event {
	b.t.Helper()
	dir := b.t.TempDir()
	for name, content := range b.files(text) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	site, diags := playbooks.LoadSources(dir, []playbooks.Source{{Name: filepath.Join(dir, "site.hcl"), Text: []byte(text)}},
		playbooks.Options{Registry: b.registry("", ""), Environ: []string{}})
	if diags.HasErrors() {
		b.t.Fatal(diags)
	}
	o.Site, o.Opener = site, b
	if o.Mode == "" {
		o.Mode = Play
	}
	var all []Event
	var inside atomic.Int32
	diags = New(o, func(e Event) {
		if inside.Add(1) > 1 {
			b.t.Error("two events at the same time")
		}
		all = append(all, e)
		for _, w := range watch {
			w(e)
		}
		inside.Add(-1)
	}).Run(ctx)
	if diags.HasErrors() {
		b.t.Error(diags)
	}
	return all
}

// files finds the contents that a site wants: src = "N.bin" is a file of N bytes.
func (b *bed) files(text string) map[string]string {
	out := map[string]string{}
	for _, word := range strings.Fields(text) {
		var n int
		name := strings.Trim(word, `"`)
		if _, err := fmt.Sscanf(name, "%d.bin", &n); err == nil {
			out[name] = strings.Repeat("\x00", n)
		}
	}
	return out
}

// told returns what became of the tasks of a host, as "status name".
func told(all []Event, name string) []string {
	var out []string
	for _, e := range all {
		switch {
		case e.Host != name:
		case e.Kind == TaskDone:
			out = append(out, string(e.Status)+" "+strings.TrimPrefix(e.Task.Name, "act : "))
		case e.Kind == Unreachable:
			out = append(out, "unreachable")
		}
	}
	return out
}

func recapOf(t *testing.T, all []Event, name string) Counts {
	t.Helper()
	for _, e := range all {
		if e.Kind == Recap && e.Host == name {
			return *e.Counts
		}
	}
	t.Fatalf("no recap for %s", name)
	return Counts{}
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// within ends the test if what it does takes too long.
func within(t *testing.T, d time.Duration, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(d):
		t.Fatalf("not done within %s", d)
	}
}

var errDown = errors.New("connection refused")

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
