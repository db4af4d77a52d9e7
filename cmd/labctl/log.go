package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/runlog"
	"labctl/cmd/labctl/internal/view"
	"labctl/runner"
)

// logFlags say which past runs are shown, and how.
type logFlags struct {
	viewFlags
	at      string
	number  int
	verbose int
}

func (a *app) logCmd() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "log [RUN]",
		Short: "Show past runs of a project",
		Long: `Lists the runs of play, plan, verify and run in the working directory, or in
that of --site, the latest first. With RUN, a number of the list or "last",
shows that run again, as it was shown or otherwise: its events are kept, and all
that is printed is computed from them.

  labctl log
  labctl log last --diff
  labctl log 12 -v --profile
  labctl log 12 --json
  labctl log 12 --junit report.xml

The last 100 runs are kept below ~/.local/state/labctl/log (or XDG_STATE_HOME)
for their user's eyes only, without sensitive values and without the values of
variables given on the command line. --no-log or LABCTL_LOG=0 keeps nothing.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := runlog.Of(projectOf(f.at), os.Getenv)
			if err != nil {
				return fmt.Errorf("look for past runs: %w", err)
			}
			if len(args) == 0 {
				return a.listRuns(dir, &f)
			}
			h, err := dir.Find(args[0])
			if err != nil {
				return err
			}
			return a.replay(dir, h, &f)
		},
	}
	fs := cmd.Flags()
	f.viewFlags.register(fs)
	fs.StringVar(&f.at, "site", "", "site whose runs are shown (default: the working directory)")
	fs.IntVarP(&f.number, "number", "n", 0, "list the latest N runs only")
	fs.CountVarP(&f.verbose, "verbose", "v", "say more; up to -vvv")
	return cmd
}

// listRuns prints a line for each run, or, with --json, its head.
func (a *app) listRuns(dir runlog.Dir, f *logFlags) error {
	if f.number < 0 {
		return fmt.Errorf("-n %d: how many runs are shown cannot be negative", f.number)
	}
	runs, err := dir.List()
	if err != nil {
		return err
	}
	if f.number > 0 {
		runs = runs[max(len(runs)-f.number, 0):]
	}
	if f.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		for i := range runs {
			if err := enc.Encode(runs[len(runs)-1-i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(runs) == 0 {
		_, err := fmt.Fprintln(a.out, "No run of this project is kept.")
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tWHEN\tWHO\tTOOK\tRESULT\tCOMMAND")
	for i := range runs {
		h := runs[len(runs)-1-i]
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", h.Run, h.Started.Local().Format("2006-01-02 15:04"), view.Clean(h.User), took(h), verdict(h), view.Clean(words(h.Command)))
	}
	return w.Flush()
}

func took(h runlog.Head) string {
	if h.Ended == nil {
		return "-"
	}
	d := h.Ended.Sub(h.Started)
	return d.Round(cmp.Or(time.Second*time.Duration(min(d/time.Minute, 1)), 100*time.Millisecond)).String()
}

// verdict says how a run has ended.
func verdict(h runlog.Head) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", what, n))
		}
	}
	switch {
	case h.Ended == nil || h.Exit == nil:
		return "not finished"
	case h.Interrupted:
		parts = append(parts, "interrupted")
	case h.Counts.Unreachable+h.Counts.Failed > 0:
		parts = append(parts, "failed")
	case *h.Exit == exitUser:
		return "error"
	default:
		parts = append(parts, "done")
	}
	add(h.Counts.OK, "ok")
	add(h.Counts.Changed, "changed")
	add(h.Counts.Unreachable, "unreachable")
	add(h.Counts.Failed, "failed")
	return strings.Join(parts, " ")
}

func words(command []string) string {
	out := make([]string, len(command))
	for i, w := range command {
		if out[i] = w; !strings.HasSuffix(w, "…") {
			out[i] = shellWord(w)
		}
	}
	return strings.Join(out, " ")
}

// replay shows a run again.
func (a *app) replay(dir runlog.Dir, h runlog.Head, f *logFlags) error {
	a.shown = &f.viewFlags
	report, err := f.report()
	if err != nil {
		return err
	}
	o := a.viewOptions()
	o.Verbosity, o.AdHoc, o.TTY, o.Past, o.Version = f.verbose, h.AdHoc, false, true, h.Labctl
	if !f.json {
		if err := a.headline(h); err != nil {
			return err
		}
	}
	var v view.View
	err = dir.Events(h.Run, func(e runner.Event) {
		if v == nil && e.Run != nil {
			v = view.New(e.Run.Mode, o)
		}
		if v != nil {
			report.event(e)
			v.Event(e)
		}
	})
	if v != nil {
		err = cmp.Or(v.Close(), err)
	}
	if err == nil && (h.Cut || h.Ended == nil) {
		fmt.Fprintf(a.err, "labctl: not all of run %d has been kept\n", h.Run)
	}
	return cmp.Or(err, report.close())
}

// headline says which run it is.
func (a *app) headline(h runlog.Head) error {
	command := words(h.Command)
	if len(h.Command) == 0 || h.Command[0] != playbookName {
		command = "labctl " + command
	}
	_, err := fmt.Fprintf(a.out, "Run %d, %s, by %s: %s\n", h.Run, h.Started.Local().Format("2006-01-02 15:04:05"), view.Clean(h.User), view.Clean(command))
	return err
}
