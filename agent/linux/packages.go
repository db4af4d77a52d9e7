package linux

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// manager is how a package manager is asked and told. Names follow the arguments.
type manager struct {
	tool      string
	database  string // what changes with the packages
	lists     string // pattern of the files with what there is to install
	lock      string // of the lists, when update does not wait for it by itself
	always    []string
	update    []string
	install   []string
	upgrade   []string
	remove    []string
	recommend [2]string // options: without what is recommended, and with it
	version   string    // between a name and a version
	older     string    // option that allows a version older than the one that is there

	installed  func(ctx context.Context, h *Host, m *manager) (installed, error)
	candidates func(ctx context.Context, run func(...string) (string, error), names []string) (map[string]string, error)
}

// installed are packages by name and, where the manager says so, by name:architecture, and what they provide.
type installed struct {
	versions map[string]string
	provides map[string]bool
}

// managers in the order in which a machine that has several is believed to be managed: what Debian packages of dnf or zypper
// is for making images of other systems.
var managers = []*manager{&apt, &apk, &zypper, &dnf}

type packages struct{ h *Host }

var _ host.Packages = packages{}

// Packages is the first package manager that is here with its database.
func (h *Host) Packages() host.Packages { return packages{h} }

func (p packages) manager() (*manager, error) {
	for _, m := range managers {
		if p.h.lookTool(m.tool) == "" {
			continue
		}
		if found, _ := filepath.Glob(m.database); len(found) > 0 && (m != &zypper || isSUSE() || p.h.lookTool(dnf.tool) == "") {
			return m, nil
		}
	}
	return nil, &host.Error{Op: "find package manager", Kind: host.ErrUnsupported, Err: fmt.Errorf("none of apt-get, apk, zypper and dnf is installed with its database")}
}

// isSUSE tells who of the users of rpm is zypper's.
func isSUSE() bool {
	b, _ := os.ReadFile("/etc/os-release")
	return strings.Contains(string(b), "suse")
}

// read returns what is installed. It is read again when the database has changed.
func (p packages) read(ctx context.Context) (installed, error) {
	m, err := p.manager()
	if err != nil {
		return installed{}, err
	}
	stamp := stampOf(m.database)
	c := &p.h.packages
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stamp == "" || c.stamp != stamp {
		if c.installed, err = m.installed(ctx, p.h, m); err != nil {
			return installed{}, fmt.Errorf("list packages: %w", err)
		}
		c.stamp = stamp
	}
	return c.installed, nil
}

// stampOf is equal when files are.
func stampOf(pattern string) string {
	var b strings.Builder
	found, _ := filepath.Glob(pattern)
	for _, f := range found {
		var st unix.Stat_t
		if unix.Stat(f, &st) == nil {
			fmt.Fprint(&b, f, st.Dev, st.Ino, st.Size, st.Mtim)
		}
	}
	return b.String()
}

func (p packages) Installed(ctx context.Context, names []string) (map[string]string, error) {
	all, err := p.read(ctx)
	if err != nil || names == nil {
		return maps.Clone(all.versions), err
	}
	out := map[string]string{}
	for _, n := range names {
		if v, ok := all.versions[n]; ok || all.provides[n] {
			out[n] = v
		}
	}
	return out, nil
}

func (p packages) Candidates(ctx context.Context, names []string) (map[string]string, error) {
	m, err := p.manager()
	if err != nil || len(names) == 0 {
		return nil, err
	}
	run := func(args ...string) (string, error) {
		path := p.h.lookTool(args[0])
		if path == "" {
			return "", &host.Error{Op: "run", Object: args[0], Kind: host.ErrUnsupported, Err: unix.ENOENT}
		}
		return runTool(ctx, path, "", args[1:]...)
	}
	out, err := m.candidates(ctx, run, names)
	if err != nil {
		return nil, fmt.Errorf("look up packages: %w", err)
	}
	return out, nil
}

// Updated is the time of the newest list. Managers leave a list alone that has not changed, so update touches it.
func (p packages) Updated(context.Context) (time.Time, error) {
	m, err := p.manager()
	if err != nil {
		return time.Time{}, err
	}
	var newest time.Time
	found, _ := filepath.Glob(m.lists)
	for _, f := range found {
		if st, err := os.Stat(f); err == nil && st.ModTime().After(newest) {
			newest = st.ModTime()
		}
	}
	return newest, nil
}

func (p packages) Change(ctx context.Context, c host.PackageChange) error {
	m, err := p.manager()
	if err != nil {
		return err
	}
	if c.Update {
		if err := p.update(ctx, m); err != nil {
			return err
		}
	}
	install := slices.Clone(c.Install)
	options := m.options(c)
	for i, n := range install {
		if c.Version != "" {
			install[i] = n + m.version + c.Version
		}
	}
	for _, step := range []struct {
		op          string
		args, names []string
	}{{"install", m.install, install}, {"upgrade", m.upgrade, c.Upgrade}, {"remove", m.remove, c.Remove}} {
		if len(step.names) == 0 {
			continue
		}
		args := slices.Concat(step.args, options, step.names)
		if step.op == "remove" {
			args = slices.Concat(step.args, step.names)
		}
		if err := p.run(ctx, m, step.op, strings.Join(step.names, ", "), args); err != nil {
			return err
		}
	}
	return nil
}

func (m *manager) options(c host.PackageChange) (out []string) {
	if c.Recommends != nil {
		at := 0
		if *c.Recommends {
			at = 1
		}
		out = append(out, m.recommend[at])
	}
	if c.Version != "" {
		out = append(out, m.older)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

func (p packages) update(ctx context.Context, m *manager) error {
	if err := waitFile(ctx, m.lock); err != nil {
		return err
	}
	if err := p.run(ctx, m, "update", "lists of packages", m.update); err != nil {
		return err
	}
	found, _ := filepath.Glob(m.lists)
	now := time.Now()
	for _, f := range found {
		if err := os.Chtimes(f, now, now); err != nil {
			return fileError("touch", f, err)
		}
	}
	return nil
}

// waitFile waits until nobody holds the lock of path.
func waitFile(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil //nolint:nilerr // there is none yet, or the manager says why it cannot be had
	}
	defer f.Close()
	return waitLock(ctx, int(f.Fd()), &unix.Flock_t{Type: unix.F_WRLCK})
}

func (p packages) run(ctx context.Context, m *manager, op, object string, args []string) error {
	p.h.writes.Add(1)
	p.h.netfilterChanged() // it may have been iptables
	_, err := runTool(ctx, p.h.lookTool(m.tool), "", slices.Concat(m.always, args)...)
	p.h.packages.forget()
	if err != nil {
		return &host.Error{Op: op, Object: object, Kind: kind(err), Err: err}
	}
	return nil
}
