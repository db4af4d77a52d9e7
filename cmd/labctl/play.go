package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/planfile"
	"labctl/cmd/labctl/internal/view"
	"labctl/playbooks"
	"labctl/runner"
	"labctl/transport/persist"
)

// runFlags say how a site is played or planned.
type runFlags struct {
	siteFlags
	connectFlags
	as       becomeFlags
	limit    string
	tags     []string
	skipTags []string
	startAt  string
	target   []string
	replace  []string
	pending  pendingFlag
	forks    int
	viewFlags
	check    bool           // play
	step     bool           // play
	list     listing        // play
	deadline *time.Duration // verify
	against  []string       // plan
	detailed bool           // plan
	saving   saveFlags      // plan
	keeping  *keeping       // plan -out, and the play of what that has saved
}

func (f *runFlags) register(cmd *cobra.Command) {
	f.siteFlags.register(cmd)
	f.connectFlags.register(cmd)
	f.keyFlags.batch = &f.connectFlags.batch
	fs := cmd.Flags()
	f.as.register(fs, "become another user where a play does not say whether to", false)
	fs.StringVarP(&f.limit, "limit", "l", "", "only hosts that match this pattern too, or @FILE")
	fs.StringSliceVarP(&f.tags, "tags", "t", nil, "only tasks with one of these tags")
	fs.StringSliceVar(&f.skipTags, "skip-tags", nil, "no task with one of these tags")
	fs.IntVarP(&f.forks, "forks", "f", 0, "hosts at the same time (0: all)")
	f.viewFlags.register(fs)
	fs.BoolVar(&f.noLog, "no-log", false, "keep no record of the run for labctl log")
}

func (f *runFlags) registerStart(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.target, "target", nil, "only this task: TYPE.LABEL, HOST:TYPE.LABEL, PLAY/TYPE.LABEL, or its name; and those whose results it needs (repeatable)")
	cmd.Flags().StringArrayVar(&f.replace, "replace", nil, "remove and make again the object of this task, an address as of --target (repeatable)")
	cmd.Flags().StringVar(&f.startAt, "start-at-task", "", "leave out the tasks before the one of this name (a pattern: \"install *\")")
}

// registerPlay has all that play takes, under either name.
func (f *runFlags) registerPlay(cmd *cobra.Command) {
	f.register(cmd)
	f.registerStart(cmd)
	f.registerForce(cmd)
	f.registerPending(cmd)
	f.registerStep(cmd.Flags())
	f.list.register(cmd.Flags())
	cmd.Flags().BoolVarP(&f.check, "check", "C", false, "change nothing, say what would change")
}

func (f *runFlags) registerForce(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.force, "force-handlers", false, "handlers that were notified run on hosts that have failed, too")
}

// pendingFlag says what becomes of handlers that plays before have left out.
type pendingFlag runner.Pending

func (f *pendingFlag) String() string { return string(*f) }
func (f *pendingFlag) Type() string   { return "run|keep|drop" }
func (f *pendingFlag) Set(s string) error {
	switch p := runner.Pending(s); p {
	case runner.PendingRun, runner.PendingKeep, runner.PendingDrop:
		*f = pendingFlag(p)
		return nil
	}
	return fmt.Errorf("it is run, keep or drop, not %q", s)
}

func (f *runFlags) registerPending(cmd *cobra.Command) {
	f.pending = pendingFlag(runner.PendingRun)
	cmd.Flags().Var(&f.pending, "pending", "handlers that a failure of an earlier play has left out: run them, keep them for later, or drop them")
}

// project is the name by which hosts know a site, in what they keep of handlers that have not run: that of its directory, so that it
// is the same for all who have a copy.
func project(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		abs = filepath.Dir(abs)
	}
	return filepath.Base(abs)
}

// connectFlags say how hosts are reached.
type connectFlags struct {
	sandbox    bool
	sshConfig  string
	sshOptions []string
	batch      bool
	noPersist  bool
	verbose    int

	kept    *persist.Search // see findKept
	usual   time.Duration
	becomes *becomeFlags // nil: the verb becomes nobody
}

func (f *connectFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.sandbox, "sandbox", false, "on the site's sandbox (labctl sandbox up), not on the real hosts")
	fs.StringVarP(&f.sshConfig, "ssh-config", "F", "", "ssh_config file to use in place of ~/.ssh/config and /etc/ssh/ssh_config (none: neither)")
	fs.BoolVar(&f.batch, "batch", false, "ask nothing: what needs a password, a passphrase or a yes to a host key fails")
	short := "o"
	if fs.ShorthandLookup(short) != nil || fs.Lookup("output") != nil { // facts has one already
		short = ""
	}
	fs.StringArrayVarP(&f.sshOptions, "ssh-option", short, nil, "setting of ssh_config, Keyword=value, that goes before all others (repeatable)")
	fs.BoolVar(&f.noPersist, "no-persist", false, "neither keep connections for the next run nor use those that are kept")
	fs.CountVarP(&f.verbose, "verbose", "v", "say more; up to -vvv")
}

func (a *app) playCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "play [SITE|PLAN]",
		Short: "Bring the hosts to the state that a site describes",
		Long: `Evaluates the tasks of each play for each of its hosts and has them carried
out, in order, all hosts at the same time. SITE is a file or a directory
(default: the working directory). PLAN is a file that 'labctl plan -out' has
written: what it says is done, and nothing else. When a host has moved since,
or the site has changed, nothing is done anywhere.

Ctrl-C interrupts the task that each host is at, waits five seconds at most,
and says what was done where; a second one ends labctl at once. A play does not
stop because nobody reads its output any more.

Exit codes: 0 done, 1 error in the site or the arguments, 2 some host failed,
4 some host unreachable, 99 interrupted.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := sitePath(args)
			if planfile.Is(path) {
				site, err := a.openPlan(cmd, path, &f)
				if err != nil {
					return err
				}
				path = site
			}
			if (f.list != listing{}) {
				return a.listPlays(path, &f)
			}
			mode := runner.Play
			if f.check {
				mode = runner.Check
			}
			outcome, err := a.runSiteAs(cmd.Context(), mode, path, &f)
			if err != nil {
				return err
			}
			return exitWith(outcome.PlayExit())
		},
	}
	f.registerPlay(cmd)
	return cmd
}

func (a *app) planCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "plan [SITE]",
		Short: "Show exactly what play would change",
		Long: `Runs the modules on a copy of each host in memory, so that a task sees what the
tasks before it would have done. Nothing is changed. With --against FILE, a
snapshot written by 'labctl facts HOST -o json' stands in for the host; hosts
without one are left out. With -out FILE the plan is saved, for 'labctl show
FILE' and 'labctl play FILE'.

Exit codes: 0 done, 1 error, 99 interrupted; with --detailed-exitcode 2 if there
are changes.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.keep(&f); err != nil {
				return err
			}
			path := sitePath(args)
			outcome, err := a.runSiteAs(cmd.Context(), runner.Plan, path, &f)
			if err != nil {
				return err
			}
			if err := a.save(cmd, path, &f, outcome.PlanExit(false)); err != nil {
				return err
			}
			return exitWith(outcome.PlanExit(f.detailed))
		},
	}
	f.register(cmd)
	f.registerStart(cmd)
	f.registerPending(cmd)
	f.saving.register(cmd)
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit 2 when there are changes")
	cmd.Flags().StringArrayVar(&f.against, "against", nil, "plan against a snapshot FILE of a host in place of the host (repeatable)")
	return cmd
}

func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError(code)
}

// runOpener is opener, or snapshots where those are asked for.
func (a *app) runOpener(s *site, f *runFlags, logf func(string, ...any)) (runner.Opener, string, func(), error) {
	if len(f.against) == 0 {
		return a.opener(s, &f.connectFlags, logf)
	}
	o, err := snapshots(f.against)
	if err == nil {
		err = a.leaveOut(s, f, o)
	}
	return o, "", func() {}, err
}

// leaveOut narrows the limit to the hosts that have a snapshot, and says which have none.
func (a *app) leaveOut(s *site, f *runFlags, o *runner.Against) error {
	var with, without []string
	for _, p := range s.Plays() {
		hosts, _ := p.Hosts(f.limit) // which has been tried before
		for _, h := range hosts {
			list := &with
			if o.Snapshots[h.Name] == nil {
				list = &without
			}
			if !slices.Contains(*list, h.Name) {
				*list = append(*list, h.Name)
			}
		}
	}
	if len(without) == 0 {
		return nil
	}
	have := slices.Sorted(maps.Keys(o.Snapshots))
	if len(with) == 0 {
		return fmt.Errorf("no snapshot of %s was given, only of %s: labctl facts %s --site %s -o json > %s.json takes one",
			strings.Join(without, ", "), strings.Join(have, ", "), without[0], s.path, without[0])
	}
	f.limit = strings.Join(with, ",")
	fmt.Fprintf(a.err, "Left out, since no snapshot of them was given: %s.\n", strings.Join(without, ", "))
	return nil
}

// runSiteAs is runSite with the flags of becoming another user.
func (a *app) runSiteAs(ctx context.Context, mode runner.Mode, path string, f *runFlags) (*view.Outcome, error) {
	if len(f.against) == 0 {
		if err := a.become(&f.as, &f.siteFlags, &f.connectFlags); err != nil {
			return nil, err
		}
	}
	return a.runSite(ctx, mode, path, f)
}

// runSite loads and validates a site and runs it.
func (a *app) runSite(ctx context.Context, mode runner.Mode, path string, f *runFlags) (*view.Outcome, error) {
	a.shown = &f.viewFlags
	report, err := f.report()
	if err != nil {
		return nil, err
	}
	if len(f.against) == 0 {
		if err := f.findKept(a.logf(f.verbose)); err != nil {
			return nil, err
		}
	}
	var from *playbooks.Task
	var targets, replace *playbooks.Targets
	s, err := a.loadValid(path, &f.siteFlags, f.limit, func(s *playbooks.Site) hcl.Diagnostics {
		tags, skip := f.tags, f.skipTags
		if f.lenient {
			tags, skip = nil, nil
		}
		diags := s.CheckRun(tags, skip)
		if f.startAt != "" && !diags.HasErrors() {
			var more hcl.Diagnostics
			from, more = s.StartAt(f.startAt, playbooks.Env{Tags: f.tags, SkipTags: f.skipTags})
			diags = append(diags, more...)
		}
		if !diags.HasErrors() {
			diags = append(diags, f.address(s, mode, &targets, &replace)...)
		}
		if mode == runner.Verify && !diags.HasErrors() {
			diags = append(diags, s.CheckVerify()...)
		}
		return diags
	})
	if err != nil {
		return nil, err
	}
	var r *runner.Runner
	opener, name, done, err := a.runOpener(s, f, func(format string, args ...any) { r.Debugf(1, format, args...) })
	if err != nil {
		return nil, err
	}
	defer done()
	options := runner.Options{
		Site: s.Site, Mode: mode, Limit: f.limit, Tags: f.tags, SkipTags: f.skipTags, From: from, Forks: f.forks, Verbosity: f.verbose,
		Sandbox: name, Path: path, Opener: opener, Deadline: f.deadline, Targets: targets, Replace: replace,
		Project: project(path), Pending: runner.Pending(f.pending),
	}
	if err := f.keeping.begin(ctx, s, &options, &r); err != nil {
		return nil, err
	}
	o := a.viewOptions()
	o.Verbosity, o.AdHoc = f.verbose, f.adHoc != nil
	v, outcome, log := view.New(mode, o), &view.Outcome{}, a.logRun(path, f)
	a.prompter.Over(v.Pause)
	if options.Step, err = a.stepwise(f, v); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	a.running.Store(&v)
	r = runner.New(options, func(e runner.Event) {
		outcome.Event(e)
		f.keeping.event(e)
		report.event(e)
		log.Event(e)
		v.Event(e)
		if e, yes := log.refused(e); yes {
			v.Event(e)
		}
	})
	diags := r.Run(ctx)
	shown := cmp.Or(v.Close(), report.close())
	a.end(log, exitOf(mode, outcome, diags, f), f.verbose)
	if err := a.diagnose(s.Site, diags); err != nil {
		return nil, err
	}
	return outcome, a.unshown(outcome.PlayExit(), shown)
}

// exitOf is the exit code of a run.
func exitOf(mode runner.Mode, o *view.Outcome, diags hcl.Diagnostics, f *runFlags) int {
	switch {
	case diags.HasErrors():
		return exitUser
	case mode == runner.Plan:
		return o.PlanExit(f.detailed)
	}
	return o.PlayExit()
}

// unshown is what becomes of an output that could not be written. A run does not stop half way because its reader has gone:
// it is played to the end, and the exit code says how. When all went well but the output is lost, that is the fault to tell;
// a closed pipe is none, since whoever read has chosen to close it.
func (a *app) unshown(code int, err error) error {
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return nil
	case code == exitDone:
		return fmt.Errorf("show the run, which is done: %w", err)
	}
	fmt.Fprintln(a.err, "labctl: show the run:", err)
	return nil
}
