package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"labctl/cmd/labctl/internal/runlog"
	"labctl/cmd/labctl/internal/view"
	"labctl/runner"
)

// logVariable switches the record of runs off.
const logVariable = "LABCTL_LOG"

// logged is the run as 'labctl log' will know it. A run goes on without.
type logged struct {
	*runlog.Recorder       // nil: none
	why              error // why there is none, though there should be
}

// logRun begins the record of a run, unless it is not wanted.
func (a *app) logRun(path string, f *runFlags) *logged {
	if f.noLog || slices.Contains([]string{"0", "no", "off", "false"}, strings.ToLower(os.Getenv(logVariable))) {
		return &logged{}
	}
	project := projectOf(path)
	dir, err := runlog.Of(project, os.Getenv)
	if err != nil {
		return &logged{why: err}
	}
	h := runlog.Head{Started: time.Now(), Labctl: version(), User: who(os.Getenv), Dir: project, Command: a.line, AdHoc: f.adHoc != nil}
	r, err := dir.Record(h, view.Redact)
	return &logged{r, err}
}

// refused is the event that says, with -v, that there will be no record.
func (l *logged) refused(begun runner.Event) (runner.Event, bool) {
	return runner.Event{Time: begun.Time, Kind: runner.Debug, Level: 1, Message: fmt.Sprintf("this run is not kept for labctl log: %v", l.why)},
		begun.Kind == runner.RunStarted && l.why != nil
}

// end completes the record of a run that ends with an exit code.
func (a *app) end(l *logged, code int, verbose int) {
	if err := l.Close(code); err != nil && verbose > 0 {
		fmt.Fprintln(a.err, "labctl: this run is not kept whole for labctl log:", err)
	}
}

// projectOf is the directory that the runs of a site are kept by.
func projectOf(path string) string {
	if path == "" {
		path = "."
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		path = filepath.Dir(path)
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// who is the user who has started labctl, also by sudo.
func who(getenv func(string) string) string {
	name := first(getenv("USER"), getenv("LOGNAME"))
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if by := getenv("SUDO_USER"); by != "" && by != name {
		name += " (" + by + ")"
	}
	return name
}

// open are the options whose values are no secrets. Of others a record has the names alone.
var open = []string{"inventory", "var-file", "limit", "tags", "skip-tags", "start-at-task", "target", "replace", "forks", "color",
	"junit", "against", "out", "valid-for", "deadline", "site", "ssh-config", "become-user", "become-method", "user"}

// commandLine is what was asked for, without what may be secret: the values of variables and of arguments.
func commandLine(cmd *cobra.Command, args []string) []string {
	var out []string
	if cmd.HasParent() {
		out = append(out, cmd.Name())
	}
	for i, arg := range args {
		if name, _, found := strings.Cut(arg, "="); found && i > 0 && cmd.Name() == "run" {
			arg = name + "=…"
		}
		out = append(out, arg)
	}
	cmd.Flags().Visit(func(f *pflag.Flag) { out = append(out, flagWords(f)...) })
	return out
}

func flagWords(f *pflag.Flag) []string {
	values := []string{f.Value.String()}
	if v, ok := f.Value.(pflag.SliceValue); ok {
		values = v.GetSlice()
	}
	var out []string
	for _, v := range values {
		switch {
		case f.Value.Type() == "bool" && v == "true", f.Value.Type() == "boolfunc":
			out = append(out, "--"+f.Name)
		case f.Name == "verbose":
			n, _ := strconv.Atoi(v) // it is a count
			out = append(out, "-"+strings.Repeat("v", n))
		case f.Name == "extra-vars":
			out = append(out, "--extra-vars", namesOnly(v))
		case f.Value.Type() == "bool":
			out = append(out, "--"+f.Name+"="+v)
		case slices.Contains(open, f.Name):
			out = append(out, "--"+f.Name, v)
		default:
			out = append(out, "--"+f.Name, "…")
		}
	}
	return out
}

// namesOnly is a value of -e without those of the variables.
func namesOnly(vars string) string {
	if strings.HasPrefix(vars, "@") {
		return vars
	}
	name, _, found := strings.Cut(vars, "=")
	if !found || strings.ContainsAny(name, " {\"") {
		return "…"
	}
	return name + "=…"
}
