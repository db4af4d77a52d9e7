package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// supervisor is one sandbox while it is up. Requests come one at a time; within one, hosts are
// worked on side by side.
type supervisor struct {
	dir, name string
	keys      *keyring
	fabric    *fabric
	spawn     spawner
	sshd      string

	allocated map[string]netip.Addr
	ports     map[string]int // of relays, as they were
	relays    map[string]*relay

	base string   // what guests boot from
	hold *os.File // keeps it there

	mu    sync.Mutex
	hosts map[string]*running
	disks map[string]*os.File // of guests, without a name; they outlive the guest
	next  int                 // processor for the next guest
}

func newSupervisor(dir string) (*supervisor, error) {
	s := &supervisor{dir: dir, name: filepath.Base(dir), spawn: newSpawner(), ports: map[string]int{},
		relays: map[string]*relay{}, hosts: map[string]*running{}, disks: map[string]*os.File{}}
	var err error
	if s.sshd, err = findSSHD(); err != nil {
		return nil, err
	}
	if s.keys, err = loadKeys(dir); err != nil {
		return nil, err
	}
	s.remember()
	s.fabric, err = newFabric()
	return s, err
}

// remember takes over addresses and ports from a supervisor that was killed.
func (s *supervisor) remember() {
	old, err := Load(filepath.Dir(s.dir), s.name)
	if err != nil {
		return
	}
	s.allocated = old.Allocated
	for _, h := range old.Hosts {
		if _, port, err := net.SplitHostPort(h.Entry); err == nil {
			s.ports[h.Name], _ = strconv.Atoi(port)
		}
	}
}

// logf receives progress: one line for everything done.
type logf func(format string, args ...any)

// apply makes the sandbox what the topology says. What it has made stays if it fails or is
// interrupted; the next apply goes on from there.
func (s *supervisor) apply(ctx context.Context, t Topology, log logf) error {
	p, err := newPlan(t, s.allocated)
	if err != nil {
		return err
	}
	s.allocated = p.allocated
	if err := s.keys.prepare(p.machines); err != nil {
		return err
	}
	s.dismiss(p.machines, log)
	for _, space := range []*space{s.fabric.wires, s.fabric.outside} {
		if err := space.list(); err != nil {
			return err
		}
	}
	if err := s.fabric.prune(p.machines); err != nil {
		return err
	}
	if err := s.makeWires(t, p.machines); err != nil {
		return err
	}
	faults := s.each(p.machines, func(m machine) error { return s.ensure(ctx, m, log) })
	faults = errors.Join(faults, s.enter(p.machines))
	return errors.Join(faults, s.record(t, p.machines))
}

// each works on hosts side by side, and on all of them whatever becomes of one. Starting one
// waits as much as it computes, hence a few more than there are processors.
func (s *supervisor) each(machines []machine, work func(machine) error) error {
	var group errgroup.Group
	group.SetLimit(2 + 2*runtime.NumCPU())
	faults := make([]error, len(machines))
	for i, m := range machines {
		group.Go(func() error {
			faults[i] = work(m)
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(faults...)
}

// dismiss ends hosts that died, are no longer wanted, or must be started anew because what they
// booted with has changed.
func (s *supervisor) dismiss(machines []machine, log logf) {
	want := map[string]spec{}
	for _, m := range machines {
		want[m.Name] = s.spec(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var gone []*running
	for name, r := range s.hosts {
		now, wanted := want[name]
		now.HostsFile, now.CPU = r.spec.HostsFile, r.spec.CPU
		switch {
		case r.dead():
			log("%s: was dead", name)
		case !wanted:
			log("%s: removed", name)
		case now != r.spec:
			log("%s: restarted for a new %s", name, difference(r.spec, now))
		default:
			continue
		}
		gone = append(gone, r)
		delete(s.hosts, name)
		if relay := s.relays[name]; relay != nil { // its connections would hang for ever; enter opens it again
			relay.close()
			delete(s.relays, name)
		}
	}
	stopAll(gone)
	for name, disk := range s.disks {
		if want[name].Guest == "" {
			disk.Close()
			delete(s.disks, name)
		}
	}
}

// difference names what a host has to be started anew for.
func difference(have, want spec) string {
	switch {
	case (have.Guest == "") != (want.Guest == ""):
		return "kernel"
	case have.Guest != want.Guest:
		return "interface"
	}
	return "port, user or key"
}

func (s *supervisor) spec(m machine) spec {
	out := spec{Sandbox: s.name, Name: m.Name, Port: m.sshPort(), User: m.login(), HostsFile: m.HostsFile,
		HostKey: s.keys.hosts[m.Name], AuthorizedKey: s.keys.authorized, SSHD: s.sshd, Scratch: s.dir}
	if m.guest() {
		text, err := json.Marshal(guestSpec{Base: s.base, Links: m.Links})
		if err != nil {
			panic(err) // plain data
		}
		out.Guest = string(text)
	}
	return out
}

func (s *supervisor) makeWires(t Topology, machines []machine) error {
	var wires []wire
	for _, n := range t.Networks {
		wires = append(wires, wire{wireNetwork, n})
	}
	for _, m := range machines {
		for _, l := range m.Links {
			if l.Wire.Kind == wireNetwork || l.Wire.Kind == wireBehind {
				wires = append(wires, l.Wire)
			}
		}
	}
	done := map[wire]bool{}
	for _, w := range wires {
		if done[w] {
			continue
		}
		done[w] = true
		if err := s.fabric.ensureBridge(w); err != nil {
			return err
		}
	}
	return nil
}

// ensure brings one host up to the plan.
func (s *supervisor) ensure(ctx context.Context, m machine, log logf) error {
	s.mu.Lock()
	r := s.hosts[m.Name]
	s.mu.Unlock()
	fresh := r == nil
	if fresh {
		var warnings []string
		sp, disk, err := s.prepare(m)
		if err != nil {
			return fmt.Errorf("host %q: %w", m.Name, err)
		}
		if r, warnings, err = startHost(ctx, s.spawn, sp, disk); err != nil {
			return err
		}
		s.mu.Lock()
		s.hosts[m.Name] = r
		s.mu.Unlock()
		log("%s: started", m.Name)
		for _, w := range warnings {
			log("%s: warning: %s", m.Name, w)
		}
	} else if m.guest() {
		if err := s.mendGuest(ctx, r, m, log); err != nil {
			return fmt.Errorf("host %q: %w", m.Name, err)
		}
	} else if r.spec.HostsFile != m.HostsFile {
		if err := writeInside(r.PID, "/etc/hosts", m.HostsFile); err != nil {
			return fmt.Errorf("host %q: write /etc/hosts: %w", m.Name, err)
		}
		r.spec.HostsFile = m.HostsFile
		log("%s: new /etc/hosts", m.Name)
	}
	changed, err := s.fabric.wire(m, r.ns, fresh)
	for _, c := range changed {
		log("%s", c)
	}
	if err != nil {
		return fmt.Errorf("host %q: %w", m.Name, err)
	}
	return nil
}

// writeInside replaces a file of a host as the host itself would see it: links lead nowhere else.
func writeInside(pid int, path, text string) error {
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", pid))
	if err != nil {
		return err
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), path, &unix.OpenHow{Flags: unix.O_WRONLY | unix.O_TRUNC | unix.O_CREAT | unix.O_CLOEXEC,
		Mode: 0o644, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), path)
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// enter keeps a relay for every host without a jump host, and no other.
func (s *supervisor) enter(machines []machine) error {
	want := map[string]*relay{}
	for _, m := range machines {
		for _, l := range m.Links {
			if l.Wire.Kind == wireOutside {
				want[m.Name] = &relay{target: netip.AddrPortFrom(m.IP, uint16(m.sshPort())), device: endName(m.Name, l.Name), outside: s.fabric.outside.ns}
			}
		}
	}
	for name, r := range s.relays {
		if w := want[name]; w == nil || w.target != r.target || w.device != r.device {
			r.close()
			delete(s.relays, name)
		}
	}
	for name, r := range want {
		if s.relays[name] != nil {
			continue
		}
		if err := r.listen(s.ports[name]); err != nil {
			return fmt.Errorf("host %q: %w", name, err)
		}
		s.relays[name], s.ports[name] = r, r.listener.Addr().(*net.TCPAddr).Port
	}
	return nil
}

// down ends every host; what they had goes with them.
func (s *supervisor) down() {
	for _, r := range s.relays {
		r.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*running
	for _, r := range s.hosts {
		all = append(all, r)
	}
	stopAll(all)
	s.fabric.wires.close()
	s.fabric.outside.close()
	for _, disk := range s.disks {
		disk.Close()
	}
}
