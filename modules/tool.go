package modules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"labctl/modules/host"
)

// errNoTool says that a program that is needed is not there.
var errNoTool = errors.New("not installed")

// runTool runs a script of ours with arguments, by Run or Check of host.Commands, and returns what it prints. Messages are in
// English, and nothing is asked at a terminal. A script that exits with status 127, as a shell does that finds no command, is
// errNoTool.
func runTool(ctx context.Context, run func(context.Context, host.Exec) (host.ExecResult, error), env map[string]string, script string, args ...string) (string, error) {
	e := host.Exec{Argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...), Env: []string{"LC_ALL=C.UTF-8", "LANGUAGE=C", "GIT_TERMINAL_PROMPT=0"}}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		e.Env = append(e.Env, name+"="+env[name])
	}
	res, err := run(ctx, e)
	if err == nil && res.Status != 0 {
		err = exitError(&CommandLine{Stdout: printed(res.Stdout), Stderr: printed(res.Stderr), RC: &res.Status})
		if res.Status == 127 {
			err = fmt.Errorf("%w: %s", errNoTool, tail(printed(res.Stderr), 1))
		}
	}
	return printed(res.Stdout), err
}

// inDirectory returns an error unless the directory that p is in, or is to be in, exists.
func inDirectory(ctx context.Context, h host.Host, p string) error {
	dir := path.Dir(strings.TrimRight(p, "/"))
	switch st, err := stat(ctx, h, dir, false); {
	case err != nil:
		return err
	case st == nil || st.Type == host.SymbolicLink:
		return fmt.Errorf("%s does not exist: make it first, with module file", dir)
	case st.Type != host.Directory:
		return fmt.Errorf("%s is not a directory", dir)
	}
	return nil
}
