package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"labctl/cmd/labctl/internal/planfile"
	"labctl/cmd/labctl/internal/view"
	"labctl/runner"
)

// saveFlags say where a plan is saved.
type saveFlags struct {
	out   string
	valid time.Duration
}

func (f *saveFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.out, "out", "", "save the plan to this FILE, for labctl play FILE")
	cmd.Flags().DurationVar(&f.valid, "valid-for", 24*time.Hour, "how long a saved plan can be played")
}

// keeping goes with a run whose plan is saved, or was. Its methods are nil-safe: most runs have none.
type keeping struct {
	key     planfile.Key
	record  *planfile.Recorder // plan -out
	content *planfile.Content  // play FILE
	guard   *planfile.Guard
	site    *site
	way     func(host string) string // how it is reached; nil: it does not matter
}

// keep prepares for a plan to be saved, if it is to be.
func (a *app) keep(f *runFlags) error {
	if f.saving.out == "" {
		return nil
	}
	if f.saving.valid <= 0 {
		return fmt.Errorf("--valid-for %s: how long a plan can be played is more than nothing", f.saving.valid)
	}
	if err := planfile.Free(f.saving.out); err != nil {
		return err
	}
	path, err := planfile.KeyFile(os.Getenv)
	if err != nil {
		return err
	}
	key, err := planfile.MakeKey(path)
	f.keeping = &keeping{key: key, record: &planfile.Recorder{Key: key, Redact: view.Redact}}
	return err
}

// save writes the plan that has been made, and says what to do with it.
func (a *app) save(cmd *cobra.Command, path string, f *runFlags, code int) error {
	if f.keeping == nil {
		return nil
	}
	if code != exitDone {
		fmt.Fprintln(a.err, "labctl: the plan is not saved, since it is not complete; --limit leaves out a host that cannot be planned for")
		return nil
	}
	dir, _ := os.Getwd()
	c := &planfile.Content{Site: path, Dir: dir, Options: chosen(cmd.Flags()), Files: planfile.Sums(f.keeping.site.sources()), Events: f.keeping.record.Events}
	c.Ways = f.keeping.ways(planfile.Hosts(c.Events))
	if len(f.against) > 0 && f.limit != "" { // to the hosts that there is a snapshot of
		c.Options["limit"] = []string{f.limit}
	}
	if err := planfile.Save(f.saving.out, f.keeping.key, version(), f.saving.valid, c); err != nil {
		return err
	}
	out := a.out
	if f.json {
		out = a.err
	}
	_, err := fmt.Fprintf(out, "\nSaved the plan to: %s\n\nTo do exactly this:\n    labctl play %s\n", f.saving.out, shellWord(f.saving.out))
	return err
}

// sources are the files that the site was read from, as they are on disk.
func (s *site) sources() map[string][]byte {
	out := map[string][]byte{}
	for name, f := range s.Files() {
		if text, err := os.ReadFile(name); err == nil && string(text) == string(f.Bytes) {
			out[name] = text
		}
	}
	return out
}

// ofThePlan are the options that say what is done, and where: a saved plan has them, and none can be given beside it. All others say
// how a run is shown.
var ofThePlan = []string{"inventory", "extra-vars", "var-file", "limit", "tags", "skip-tags", "start-at-task", "target", "replace", "become",
	"become-user", "become-method", "force-handlers", "pending", "sandbox", "ssh-config", "ssh-option"}

// opening are those that say where passwords come from: a saved plan has them, and others can be given beside it.
var opening = []string{"ask-become-pass", "become-password-file", "identity", "vault-id", "vault-password-file", "ask-vault-pass"}

// chosen are the options of a command line that are part of a plan.
func chosen(fs *pflag.FlagSet) map[string][]string {
	out := map[string][]string{}
	fs.Visit(func(f *pflag.Flag) {
		if !slices.Contains(ofThePlan, f.Name) && !slices.Contains(opening, f.Name) {
			return
		}
		switch v := f.Value.(type) {
		case pflag.SliceValue:
			out[f.Name] = v.GetSlice()
		default:
			out[f.Name] = []string{v.String()}
		}
	})
	return out
}

// openPlan makes the run of a command that of a saved plan, and returns the site that it is for.
func (a *app) openPlan(cmd *cobra.Command, path string, f *runFlags) (string, error) {
	if name := unfit(cmd.Flags()); name != "" {
		return "", fmt.Errorf("--%s cannot be given with a saved plan, which says itself what is done: plan again with it", name)
	}
	head, c, key, err := readPlan(path)
	if err != nil {
		return "", err
	}
	if err := head.Expired(path, time.Now()); err != nil {
		return "", err
	}
	if err := c.Same(); err != nil {
		return "", err
	}
	f.keeping = &keeping{key: key, content: c, guard: planfile.NewGuard(key, c.Events)}
	return c.Site, restore(cmd, c.Options)
}

// unfit is an option of a command line that a saved plan has its own of, or "".
func unfit(fs *pflag.FlagSet) (name string) {
	fs.Visit(func(f *pflag.Flag) {
		if slices.Contains(ofThePlan, f.Name) {
			name = f.Name
		}
	})
	return name
}

// restore sets the options that a plan was made with, but those that are given now.
func restore(cmd *cobra.Command, options map[string][]string) error {
	for name, values := range options {
		f := cmd.Flags().Lookup(name)
		if f == nil {
			return fmt.Errorf("the plan was made with --%s, which play does not have", name)
		}
		if f.Changed {
			continue
		}
		if v, ok := f.Value.(pflag.SliceValue); ok {
			if err := v.Replace(values); err != nil {
				return err
			}
		} else if err := f.Value.Set(strings.Join(values, "")); err != nil {
			return err
		}
	}
	return nil
}

func readPlan(path string) (*planfile.Head, *planfile.Content, planfile.Key, error) {
	var key planfile.Key
	head, c, err := planfile.Open(path, func() (planfile.Key, error) {
		file, err := planfile.KeyFile(os.Getenv)
		if err == nil {
			key, err = planfile.ReadKey(file)
		}
		return key, err
	}, version())
	return head, c, key, err
}

// event takes in what happens in the run.
func (k *keeping) event(e runner.Event) {
	switch {
	case k == nil:
	case k.record != nil:
		k.record.Event(e)
	default:
		k.guard.Event(e)
	}
}

// begin comes before the run: a saved plan is made anew, on all hosts, and must be the same. Only then anything is changed. r
// is the runner that messages go through meanwhile.
func (k *keeping) begin(ctx context.Context, s *site, o *runner.Options, r **runner.Runner) error {
	if k == nil {
		return nil
	}
	k.site, k.way = s, wayTo(s, o)
	if k.content == nil {
		return nil
	}
	if err := k.content.Added(s.sources()); err != nil {
		return err
	}
	if moved := k.content.Elsewhere(k.way); len(moved) > 0 {
		return &movedError{moved: moved}
	}
	again := *o
	again.Mode = runner.Plan
	now := &planfile.Recorder{Key: k.key, Redact: view.Redact}
	outcome := &view.Outcome{}
	*r = runner.New(again, func(e runner.Event) { outcome.Event(e); now.Event(e) })
	if diags := (*r).Run(ctx); diags.HasErrors() {
		return diags
	}
	if context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	if moved := planfile.Compare(k.content.Events, now.Events); len(moved) > 0 {
		return &movedError{moved: moved, unreachable: outcome.PlayExit() == exitUnreachable}
	}
	o.Approve, o.Expect = k.guard.Approve, k.guard.Expect
	return nil
}

// shellWord is a file name as it is typed.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/+,:@%", r)
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
