package linux

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"labctl/modules/host"
)

// scripts are those in /etc/init.d, run by service(8) or, where OpenRC runs, by rc-service(8).
type scripts struct {
	h      *Host
	openRC bool
}

const initDir = "/etc/init.d/"

func script(name string) string { return strings.TrimSuffix(name, ".service") }

func linked(pattern string) bool {
	links, _ := filepath.Glob(pattern)
	return len(links) > 0
}

// rcLinked tells whether a runlevel of sysvinit, or the boot itself, starts the script (insserv(8)).
func rcLinked(name string) bool { return linked("/etc/rc[2-5S].d/S[0-9][0-9]" + name) }

func (s scripts) Get(ctx context.Context, name string) (host.Service, error) {
	n := script(name)
	if executable(initDir+n) != nil || strings.Contains(n, "/") {
		return host.Service{}, noService(name)
	}
	running, err := s.running(ctx, n)
	if err != nil {
		return host.Service{}, err
	}
	enabled := rcLinked(n)
	if s.openRC {
		enabled = linked(runlevels + "*/" + n)
	}
	return host.Service{Name: name, Running: running, Enabled: &enabled}, nil
}

// running asks the script, unless it has nothing to say to that: some do all their work whatever they are asked (Debian's kmod). 0 is
// yes, 1 to 3 are no, and the rest is that the script does not know (LSB core, "Init Script Actions"). OpenRC has numbers of its own:
// 8 for starting and 16 for waiting for something of its own, neither of which can be started any more.
func (s scripts) running(ctx context.Context, name string) (*bool, error) {
	b, err := os.ReadFile(initDir + name)
	if err != nil {
		return nil, fileError("read", initDir+name, err)
	}
	if !slices.ContainsFunc([]string{"status", "init-d-script", "openrc-run", "runscript"}, func(w string) bool { return bytes.Contains(b, []byte(w)) }) {
		return nil, nil
	}
	status, err := s.status(ctx, name)
	up := status == 0 || s.openRC && (status == 8 || status == 16)
	if err != nil || !up && !s.openRC && status > 3 {
		return nil, err
	}
	return &up, nil
}

// status returns with what status the script's action of that name ends.
func (s scripts) status(ctx context.Context, name string) (int, error) {
	err := s.run(ctx, name, "status")
	if te, ended := errors.AsType[*toolError](err); ended {
		return te.status, nil
	}
	return 0, err
}

// crashed is what OpenRC says of a service that it has started and whose daemon is gone (openrc-run.sh, _status).
const crashed = 32

func (s scripts) run(ctx context.Context, name, action string) error {
	path, args := s.h.lookTool("service"), []string{name, action}
	if s.openRC {
		path = s.h.lookTool("rc-service")
	}
	if path == "" {
		path, args = initDir+name, args[1:]
	}
	_, err := runTool(ctx, path, "", args...)
	return err
}

func (s scripts) Set(ctx context.Context, want host.Service) error {
	n := script(want.Name)
	if want.Enabled != nil {
		if err := s.enable(ctx, n, *want.Enabled); err != nil {
			return err
		}
	}
	if want.Running == nil {
		return nil
	}
	if !*want.Running {
		return s.Act(ctx, "stop", n)
	}
	if s.openRC { // what has crashed counts as started, until it is forgotten
		if status, err := s.status(ctx, n); err != nil {
			return err
		} else if status == crashed {
			if err := s.Act(ctx, "zap", n); err != nil {
				return err
			}
		}
	}
	return s.Act(ctx, "start", n)
}

func (s scripts) Act(ctx context.Context, action, name string) error {
	if action == host.DaemonReload {
		return nil // a script is read whenever it runs
	}
	s.h.writes.Add(1)
	s.h.netfilterChanged()
	if err := s.run(ctx, script(name), action); err != nil {
		return &host.Error{Op: action, Object: name, Kind: kind(err), Err: err}
	}
	return nil
}

const runlevels = "/etc/runlevels/"

// runlevelsOf are those that start a service. rc-update(8) del --all does not end well unless all do.
func runlevelsOf(name string) []string {
	links, _ := filepath.Glob(runlevels + "*/" + name)
	for i, l := range links {
		links[i] = filepath.Base(filepath.Dir(l))
	}
	return links
}

// enable is said by the tool of OpenRC, of Debian, or of Red Hat. Debian's leaves links alone that it has made before, whatever they do,
// so defaults makes them where there are none, and enable turns those that stop into those that start.
func (s scripts) enable(ctx context.Context, name string, on bool) error {
	word := map[bool]string{true: "enable", false: "disable"}[on]
	switch {
	case s.openRC && on:
		return s.h.tell(ctx, word, name, "rc-update", "add", name, "default")
	case s.openRC:
		return s.h.tell(ctx, word, name, "rc-update", append([]string{"del", name}, runlevelsOf(name)...)...)
	case s.h.lookTool("update-rc.d") == "":
		return s.h.tell(ctx, word, name, "chkconfig", name, map[bool]string{true: "on", false: "off"}[on])
	}
	if err := s.h.tell(ctx, word, name, "update-rc.d", name, "defaults"); err != nil {
		return err
	}
	return s.h.tell(ctx, word, name, "update-rc.d", name, word)
}

func (s scripts) List(ctx context.Context) ([]host.Service, error) {
	entries, err := os.ReadDir(initDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fileError("list", initDir, err)
	}
	var out []host.Service
	for _, e := range entries {
		one, err := s.Get(ctx, e.Name())
		if errors.Is(err, host.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}
