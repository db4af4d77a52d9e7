package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"labctl/modules/host"
)

// systemFiles are part of every snapshot: what modules of users, groups and names look at. Passwords are not.
var systemFiles = []string{"/etc/passwd", "/etc/group", "/etc/login.defs", "/etc/default/useradd", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}

const hostnameKey = "kernel.hostname"

func hostname(ctx context.Context, h host.Host) (string, error) {
	n, err := h.Net(ctx, "")
	if err != nil {
		return "", err
	}
	return n.Sysctls().Get(ctx, hostnameKey)
}

// FromSnapshot returns a host that starts as the snapshot tells.
func FromSnapshot(s *host.Snapshot) *Host {
	h := New(nil)
	h.seed = s
	return h
}

// Snapshot reads all of h, and the files asked for, as data. What this host or kernel does not have (iptables, IPv6) is
// left out.
func Snapshot(ctx context.Context, h host.Host, name string, files []string) (*host.Snapshot, error) {
	s, err := NetworkSnapshot(ctx, h, name)
	if err != nil {
		return nil, err
	}
	if err := recordProcesses(ctx, h, s); err != nil {
		return nil, err
	}
	if s.Packages, err = h.Packages().Installed(ctx, nil); err != nil && !errors.Is(err, host.ErrUnsupported) {
		return nil, err
	}
	if s.Services, err = h.Services().List(ctx); err != nil {
		return nil, err
	}
	s.Files, err = recordFiles(ctx, h, slices.Concat(systemFiles, files))
	return s, err
}

// NetworkSnapshot reads the network of h alone: its namespaces, Open vSwitch, and the kernel's modules.
func NetworkSnapshot(ctx context.Context, h host.Host, name string) (*host.Snapshot, error) {
	s := &host.Snapshot{Version: host.SnapshotVersion, Name: name, NetNS: map[string]*host.NetState{}}
	var err error
	if s.Facts, err = h.Facts(ctx); err != nil {
		return nil, err
	}
	names, err := h.NetNS().List(ctx)
	if err != nil {
		return nil, err
	}
	running, err := recordContainers(ctx, h, s)
	if err != nil {
		return nil, err
	}
	for _, ref := range slices.Concat([]string{""}, names, running) {
		n, err := h.Net(ctx, ref)
		if errors.Is(err, host.ErrNoNetNS) && ref != "" {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, err
		}
		if s.NetNS[ref], err = netState(ctx, n); err != nil {
			return nil, fmt.Errorf("netns %q: %w", ref, err)
		}
	}
	if sc, ok := h.(host.Scratcher); ok {
		n, err := sc.Scratch(ctx)
		if err == nil {
			s.Scratch, err = netState(ctx, n)
		}
		if err != nil && !errors.Is(err, host.ErrPermission) {
			return nil, err
		}
	}
	if s.OVS, err = ovsState(ctx, h.OVS()); err != nil && !errors.Is(err, host.ErrUnsupported) && !errors.Is(err, host.ErrPermission) {
		return nil, err
	}
	if name, err := hostname(ctx, h); err == nil {
		s.NetNS[""].Sysctls[hostnameKey] = name
	}
	s.KernelModules, err = h.KernelModules().List(ctx)
	return s, err
}

func netState(ctx context.Context, n host.Net) (*host.NetState, error) {
	s, err := readNet(ctx, n)
	if err != nil {
		return nil, err
	}
	s.Neighs = slices.DeleteFunc(s.Neighs, func(e host.Neigh) bool { return !e.Configured() })
	if s.Sysctls, err = n.Sysctls().All(ctx, ""); err != nil {
		return nil, err
	}
	if s.Netfilter, err = netfilterState(ctx, n.Netfilter()); err != nil {
		return nil, err
	}
	if s.NFTables, err = n.NFTables().Tables(ctx); lacking(err) != nil {
		return nil, err
	}
	if s.IPSets, err = n.IPSets().List(ctx); lacking(err) != nil {
		return nil, err
	}
	s.WireGuards, err = wireguardState(ctx, n, s.Links)
	return s, err
}

// lacking passes over what a host does not have, or does not show.
func lacking(err error) error {
	if errors.Is(err, host.ErrUnsupported) || errors.Is(err, host.ErrPermission) {
		return nil
	}
	return err
}
