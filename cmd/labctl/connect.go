package main

import (
	"encoding/json"
	"fmt"
	"os"

	"labctl/cmd/labctl/internal/view"
	"labctl/inventory"
	"labctl/modules/host"
	"labctl/runner"
	"labctl/runner/agentbin"
	"labctl/transport"
	"labctl/transport/sshconfig"
)

// viewOptions looks at the streams and the environment.
func (a *app) viewOptions() view.Options {
	out, _ := a.out.(*os.File)
	errs, _ := a.err.(*os.File)
	o := view.Detect(out, errs, os.Getenv)
	o.Out, o.Err, o.Version = a.out, a.err, version()
	if a.shown != nil {
		a.shown.apply(&o)
	}
	return o
}

// opener decides how the hosts of a site are reached. It returns the name of the sandbox, if that is where they are, and what
// is to be called at the end.
func (a *app) opener(s *site, f *connectFlags, logf func(string, ...any)) (*runner.Connector, string, func(), error) {
	c := &runner.Connector{Agents: agentbin.Default()}
	name := ""
	switch {
	case f.sandbox:
		st, err := sandboxState(s.path)
		if err != nil {
			return nil, "", nil, err
		}
		name, c.Target = st.Name, sandboxTargets(st)
	default:
		config, err := a.sshConfig(f, logf)
		if err != nil {
			return nil, "", nil, err
		}
		c.Targets = func(inv *inventory.Inventory) func(*inventory.Host) (*transport.Target, error) {
			return runner.Targets(inv, config)
		}
		c.Target = c.Targets(s.Inventory)
	}
	var err error
	if c.Becoming, err = a.becoming(f); err != nil {
		return nil, "", nil, err
	}
	if c.Pool, err = dialer(f, transport.Options{Logf: logf, Ask: a.asker(f), Agents: c.Agents}); err != nil {
		return nil, "", nil, err
	}
	return c, name, func() { _ = c.Pool.Close() }, nil
}

// asker is who answers questions, or nil where nobody does.
func (a *app) asker(f *connectFlags) transport.Ask {
	if f.batch || a.prompter.Available() != nil {
		return nil
	}
	return a.prompter.Ask
}

// logf prints what the transport has to say, from -v on, where no view owns the terminal.
func (a *app) logf(verbose int) func(string, ...any) {
	return func(format string, args ...any) {
		if verbose > 0 {
			fmt.Fprintf(a.err, format+"\n", args...)
		}
	}
}

// sshConfig reads the user's ssh_config, or file in its place; "none" is no file at all. The options of the command line
// come before it.
func (a *app) sshConfig(f *connectFlags, logf func(string, ...any)) (*sshconfig.Config, error) {
	var files []string
	if f.sshConfig != "" {
		files = []string{f.sshConfig}
	}
	c, err := sshconfig.Load(files...)
	if err != nil {
		return nil, err
	}
	c.CommandLine, c.Logf, c.Context = f.sshOptions, logf, a.ctx
	return c, nil
}

// snapshots reads the files of --against.
func snapshots(files []string) (*runner.Against, error) {
	out := &runner.Against{Snapshots: map[string]*host.Snapshot{}}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read snapshot: %w", err)
		}
		s := &host.Snapshot{}
		if err := json.Unmarshal(b, s); err != nil {
			return nil, fmt.Errorf("read snapshot %s: %w: is it the output of labctl facts HOST -o json?", f, err)
		}
		if s.Version != host.SnapshotVersion {
			return nil, fmt.Errorf("snapshot %s has version %d, this labctl reads %d: take it again with labctl facts %s -o json", f, s.Version, host.SnapshotVersion, s.Name)
		}
		out.Snapshots[s.Name] = s
	}
	return out, nil
}
