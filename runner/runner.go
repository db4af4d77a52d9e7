package runner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
	"labctl/modules"
	"labctl/playbooks"
)

// Options say what to run, on which hosts, and how.
type Options struct {
	Site      *playbooks.Site
	Path      string // of the site, for the events
	Mode      Mode
	Limit     string   // pattern; "" is no limit
	Tags      []string // only tasks with one of these; empty: all
	SkipTags  []string
	From      *playbooks.Task    // no task before it; nil: all
	Targets   *playbooks.Targets // only these tasks; nil: all
	Replace   *playbooks.Targets // objects to remove and make again
	Forks     int                // hosts at the same time; 0: all
	Deadline  *time.Duration     // how long probes that do not say so themselves try; nil: their default
	Verbosity int
	Project   string  // by which hosts know the site, in what they keep of handlers that have not run
	Pending   Pending // what becomes of these
	Sandbox   string  // name of the sandbox the hosts are in
	Opener    Opener
	Step      func(context.Context, Event) (StepAnswer, error) // asked before each task, with all hosts at rest; nil: nobody is asked
	Approve   func(Event) error                                // why a task that is about to be sent must not be; nil: none is refused
	Expect    func(Event) *modules.Diff                        // what a task that is sent must do, or be refused by the agent; nil: whatever it does
	Grace     time.Duration                                    // how long an interrupted host may take to finish what it is at; 0: 5 s
}

// Runner plays a site once.
type Runner struct {
	o    Options
	site *playbooks.Site // that of the options, with what tasks have added to the inventory; changes between plays alone
	sink *sink

	last map[string]int // index of the last play of each host: nothing of a host is kept beyond it

	planAs map[string]playbooks.Identity // whom each host's session is when nothing is changed: root if any task becomes another user

	lends map[string]bool // hosts that may have to run tasks for others

	downloads downloads
	throttles throttles
	turns     *turns
	stepping  stepping
	ahead     *ahead
	facts     playbooks.SetFacts
	added     playbooks.Added
	homes     map[string]string // host by the file that it brings home; guarded by mu

	mu       sync.Mutex
	sessions map[string]map[playbooks.Identity]*session // by host and whom the agent runs as
	gates    map[place]*sync.Mutex                      // held while a session is being opened
	costs    map[string]*Cost                           // of the sessions that have ended, by host
	out      map[string]bool                            // hosts that failed or are unreachable: later plays leave them out
}

// New returns a Runner that passes everything that happens to emit, one event at a time.
func New(o Options, emit func(Event)) *Runner {
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	return &Runner{o: o, site: o.Site, sink: newSink(emit), last: map[string]int{}, planAs: map[string]playbooks.Identity{}, sessions: map[string]map[playbooks.Identity]*session{}, gates: map[place]*sync.Mutex{},
		turns: newTurns(), ahead: newAhead(), homes: map[string]string{}, costs: map[string]*Cost{}, out: map[string]bool{}}
}

// Debugf emits a line that is shown from that many -v on.
func (r *Runner) Debugf(level int, format string, args ...any) {
	r.sink.event(Event{Kind: Debug, Level: level, Message: fmt.Sprintf(format, args...)})
}

// Run plays all plays, each when the one before has ended on all its hosts. It returns what was wrong with the site as far as
// only running it could tell; what went wrong on hosts is in the events.
func (r *Runner) Run(ctx context.Context) hcl.Diagnostics {
	start := time.Now()
	r.sink.event(Event{Kind: RunStarted, Run: &Run{Version: EventVersion, Mode: r.o.Mode, Site: r.o.Path, Sandbox: r.o.Sandbox}})
	announced := r.announce(ctx)
	diags := r.plays(ctx)
	diags = append(diags, r.stepping.fault()...)
	announced()
	r.closeAll()
	r.downloads.close()
	r.sink.recap(func(h string) *Cost { return r.costs[h] })
	r.sink.event(Event{Kind: RunDone, Duration: time.Since(start), Interrupted: ctx.Err() != nil, Error: siteError(diags)})
	return diags
}

// siteError is the first of the errors in diags, or nil.
func siteError(diags hcl.Diagnostics) *Error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return &Error{Kind: "evaluation", Message: d.Summary + ": " + d.Detail}
		}
	}
	return nil
}

// announce says at once that the run is being interrupted: it may take its time to end. The function returned is called
// when there is nothing left to interrupt.
func (r *Runner) announce(ctx context.Context) func() {
	said := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(said)
		r.sink.event(Event{Kind: Warning,
			Message: fmt.Sprintf("Interrupted: the hosts are asked to stop, and have %s for it. Once more ends labctl at once.", r.o.Grace)})
	})
	return func() {
		if !stop() {
			<-said
		}
	}
}

func (r *Runner) plays(ctx context.Context) hcl.Diagnostics {
	selected, diags := r.selectHosts(0)
	if diags.HasErrors() {
		return diags
	}
	if len(slices.Concat(selected...)) == 0 && !r.site.Lenient() {
		return append(diags, nothingSelected(r.o.Limit))
	}
	for i := range r.site.Plays() {
		if ctx.Err() != nil {
			r.notBegun(r.site.Plays()[i], selected[i])
			continue
		}
		if r.added.New() || r.site.Sets() {
			more, ds := r.grow(i)
			if diags = append(diags, ds...); ds.HasErrors() {
				return diags
			}
			selected = more
		}
		r.missing(r.site.Plays()[i])
		r.batches(ctx, i, r.site.Plays()[i], selected[i])
	}
	return diags
}

// selectHosts finds the hosts of the plays from that index on.
func (r *Runner) selectHosts(from int) (selected [][]*inventory.Host, diags hcl.Diagnostics) {
	selected = make([][]*inventory.Host, len(r.site.Plays()))
	for i := from; i < len(selected); i++ {
		p := r.site.Plays()[i]
		hosts, ds := p.Hosts(r.o.Limit)
		diags = append(diags, ds...)
		selected[i] = hosts
		for _, h := range hosts {
			if r.last[h.Name] = i; r.site.Adds() { // a later play may turn out to be for it
				r.last[h.Name] = len(selected)
			}
			r.foreseeAs(p, h, true)
		}
	}
	if !diags.HasErrors() {
		r.lends = r.lenders()
	}
	return selected, diags
}

// grower is an Opener that has to know of hosts that are added.
type grower interface {
	grow(inv *inventory.Inventory)
}

// grow has the plays from that index on know of what the plays before have added.
func (r *Runner) grow(from int) ([][]*inventory.Host, hcl.Diagnostics) {
	site, diags := r.o.Site.With(&r.added, &r.facts)
	if diags.HasErrors() {
		return nil, diags
	}
	r.site = site
	if o, ok := r.o.Opener.(grower); ok {
		o.grow(site.Inventory)
	}
	return r.selectHosts(from)
}

// missing warns of names in the pattern of a play which the plays before might have added, and have not.
func (r *Runner) missing(p *playbooks.Play) {
	names := p.Unknown()
	switch {
	case len(names) == 0:
	case r.o.Mode.planning() && r.added.Open():
		r.sink.event(Event{Kind: Warning, Play: p.Display(), Message: fmt.Sprintf("play %q: only a play can tell which hosts are added to the inventory; %s may be among them", p.Display(), join(names))})
	default:
		r.sink.event(Event{Kind: Warning, Play: p.Display(), Message: fmt.Sprintf("play %q: neither a host nor a group is called %s, and no task has added one; it is passed over", p.Display(), join(names))})
	}
}

// notBegun says of a play that the run was interrupted before it.
func (r *Runner) notBegun(p *playbooks.Play, hosts []*inventory.Host) {
	if len(hosts) == 0 {
		return
	}
	r.sink.event(Event{Kind: Warning, Play: p.Display(),
		Message: fmt.Sprintf("play %q was not begun, on %s", p.Display(), join(names(hosts)))})
}

func names(hosts []*inventory.Host) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = h.Name
	}
	return out
}

func nothingSelected(limit string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "No host matched", Detail: "No play is for any host of the inventory."}
	if limit != "" {
		d.Detail = "The limit \"" + limit + "\" leaves no host to any play."
	}
	return d
}

// play runs the play with that index on its hosts, all at the same time but for the bound of forks. It says why a failure of some of
// them was one of all, or "".
func (r *Runner) play(ctx context.Context, index int, p *playbooks.Play, hosts []*inventory.Host) (fatal string) {
	r.sink.event(Event{Kind: PlayStarted, Play: p.Display(), Hosts: names(hosts)})
	forks := r.o.Forks
	if forks <= 0 {
		forks = len(hosts)
	}
	slots := make(chan struct{}, max(forks, 1))
	meet := newMeeting(r, p, hosts, slots)
	alike := &playbooks.Alike{}
	var wg sync.WaitGroup
	starts := newPace(p)
	for i, h := range hosts {
		slots <- struct{}{}
		started := starts.next()
		wg.Go(func() {
			defer func() { <-slots }()
			defer started()
			env := playbooks.Env{Plan: r.o.Mode.planning(), Alone: len(hosts) == 1, Verify: r.o.Mode == Verify, Tags: r.o.Tags, SkipTags: r.o.SkipTags, From: r.o.From, Targets: r.o.Targets, Replace: r.o.Replace, Facts: &r.facts, Added: &r.added, Alike: alike, Project: r.o.Project, Offers: r.offering()}
			if r.o.Step != nil {
				env.Asks = r.stepping.on
			}
			if r.o.Deadline != nil {
				env.Deadline = r.o.Deadline.String()
			}
			x := &hostPlay{r: r, play: p, host: h, rank: i, eval: p.Start(h, env), meet: meet, started: started}
			goesOn := x.run(ctx)
			if !goesOn {
				r.drop(h.Name)
			}
			if !goesOn || r.last[h.Name] == index {
				r.leave(h.Name)
			}
			meet.leave(x, !goesOn && ctx.Err() == nil)
		})
	}
	wg.Wait()
	r.sink.event(Event{Kind: PlayDone, Play: p.Display()})
	return meet.ends
}

func (r *Runner) stillIn(hosts []*inventory.Host) []*inventory.Host {
	r.mu.Lock()
	defer r.mu.Unlock()
	var in []*inventory.Host
	for _, h := range hosts {
		if !r.out[h.Name] {
			in = append(in, h)
		}
	}
	return in
}

func (r *Runner) drop(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out[name] = true
}

func (r *Runner) isOut(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out[name]
}

// barred reports whether tasks of a host are not to be run: it has failed, or the limit leaves it out.
func (r *Runner) barred(h *inventory.Host) bool {
	if r.isOut(h.Name) || r.o.Limit == "" {
		return r.isOut(h.Name)
	}
	in, err := r.site.Match(r.o.Limit)
	return err != nil || !slices.ContainsFunc(in, func(o *inventory.Host) bool { return o.Name == h.Name })
}
