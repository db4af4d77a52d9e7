package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/runner"
)

// testFlags say which labs are tested, and how that is told.
type testFlags struct {
	siteFlags
	run      string
	parallel int
	testReport
}

func (a *app) testCmd() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Play sites in the sandbox, twice, and verify them",
		Long: `Plays each site of a directory, by default of this one, in a sandbox of its own:
brings its hosts up, plays, plays again, which must change nothing, verifies,
and takes the hosts down. A site is a directory with *.hcl files; directories
below it belong to it. What went wrong is shown with the labctl that says it.

Exit codes: 0 all went well, 1 there is no site or it cannot be tested, 2 some
site failed, 99 interrupted.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.test(cmd.Context(), &f, sitePath(args))
		},
	}
	f.siteFlags.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.run, "run", "", "only sites whose name matches this regular expression")
	fs.IntVar(&f.parallel, "parallel", runtime.NumCPU(), "sites at the same time")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "show what labctl says of sites that go well, too")
	fs.BoolVar(&f.json, "json", false, "print events as go test -json does, one a line")
	return cmd
}

// test tests the sites below dir.
func (a *app) test(ctx context.Context, f *testFlags, dir string) error {
	if err := sandbox.Check(); err != nil {
		return err
	}
	labs, err := findLabs(dir, f.run)
	if err != nil {
		return err
	}
	if f.parallel < 1 {
		return fmt.Errorf("-parallel %d: at least one site is tested at a time", f.parallel)
	}
	f.out = a.out
	a.keys(&f.keyFlags) // those of all sites: whoever is asked is asked once
	var wait sync.WaitGroup
	turns := make(chan struct{}, f.parallel)
	for _, lab := range labs {
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-turns }()
			f.begin(lab.name)
			start := time.Now()
			said, err := a.testLab(ctx, &f.siteFlags, lab.dir)
			f.end(lab.name, said, err, time.Since(start))
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return f.close()
}

// lab is one site that is tested.
type lab struct{ name, dir string }

// findLabs lists the sites below dir: directories with files of HCL.
func findLabs(dir, pattern string) ([]lab, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-run %q: %w", pattern, err)
	}
	var labs []lab
	total := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path != dir && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if found, _ := filepath.Glob(filepath.Join(globQuote(path), "*.hcl")); len(found) == 0 {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			whole, _ := filepath.Abs(dir)
			name = filepath.Base(whole)
		}
		total++
		if re.MatchString(name) {
			labs = append(labs, lab{name, path})
		}
		return filepath.SkipDir
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for sites: %w", err)
	case total == 0:
		return nil, fmt.Errorf("%s has no site: no directory with *.hcl files", dir)
	case len(labs) == 0:
		return nil, fmt.Errorf("-run %q: none of the %d sites of %s matches", pattern, total, dir)
	}
	return labs, nil
}

func globQuote(path string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

// testLab tests one site and returns what labctl has said. Its sandbox goes down whatever happens, an interruption included.
func (a *app) testLab(ctx context.Context, s *siteFlags, dir string) (said string, err error) {
	if _, err := sandbox.Load(sandbox.DefaultDir, sandboxName(dir)); err == nil {
		return "", fmt.Errorf("its sandbox is up already, and not of this test: labctl sandbox down %s", dir)
	}
	t := &labTest{app: a, site: s, dir: dir}
	defer func() {
		if e := t.do(context.WithoutCancel(ctx), "sandbox", "down"); err == nil {
			err = e
		}
		said = t.said.String()
	}()
	if err := t.do(ctx, "sandbox", "up"); err != nil {
		return "", err
	}
	if err := t.do(ctx, "play", "--sandbox", "--no-log"); err != nil {
		return "", err
	}
	if err := t.again(ctx); err != nil {
		return "", err
	}
	if t.probes() {
		err = t.do(ctx, "verify", "--sandbox", "--no-log")
	}
	return "", err
}

// labTest is one test.
type labTest struct {
	app  *app
	site *siteFlags
	dir  string
	said bytes.Buffer
}

// do runs a verb of labctl on the site.
func (t *labTest) do(ctx context.Context, verb ...string) error {
	return t.to(ctx, &t.said, verb...)
}

func (t *labTest) to(ctx context.Context, out *bytes.Buffer, verb ...string) error {
	args := verb
	if verb[len(verb)-1] != "down" {
		args = append(args, t.site.again()...)
	}
	fmt.Fprintf(&t.said, "$ labctl %s %s\n", strings.Join(verb, " "), t.dir)
	a := &app{in: t.app.in, out: out, err: &t.said, environ: t.app.environ, secrets: t.app.keys(&t.site.keyFlags)}
	if code := a.run(ctx, append(args, t.dir)); code != exitDone {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return fmt.Errorf("labctl %s exits with %d", strings.Join(verb, " "), code)
	}
	return nil
}

// again plays a second time. What that changes is told.
func (t *labTest) again(ctx context.Context) error {
	var out bytes.Buffer
	err := t.to(ctx, &out, "play", "--sandbox", "--no-log", "--json")
	changed := 0
	for dec := json.NewDecoder(&out); ; {
		var e runner.Event
		if dec.Decode(&e) != nil {
			break
		}
		if e.Kind == runner.TaskDone && e.Task != nil && (e.Status == runner.Changed || e.Status == runner.Failed) {
			changed++
			fmt.Fprintf(&t.said, "%s: %s on %s\n", e.Status, e.Task.Address, e.Host)
		}
	}
	if err == nil && changed > 0 {
		err = errors.New("the second play changes something")
	}
	return err
}

// probes reports whether the site has anything to verify.
func (t *labTest) probes() bool {
	var said bytes.Buffer
	a := &app{in: t.app.in, out: &said, err: &said, environ: t.app.environ, ctx: t.app.ctx, prompter: t.app.prompter, secrets: t.app.keys(&t.site.keyFlags)}
	st, err := a.load(t.dir, t.site)
	return err == nil && !st.CheckVerify().HasErrors()
}

// again writes the flags as a command line, without those of keys, which are handed on.
func (s *siteFlags) again() []string {
	var out []string
	for _, i := range s.inventory {
		out = append(out, "-i", i)
	}
	for _, f := range s.varFiles {
		out = append(out, "--var-file", f)
	}
	for _, v := range s.vars {
		out = append(out, "-e", v)
	}
	return out
}
