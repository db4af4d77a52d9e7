package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"labctl/modules/host"
)

// ipsets are the IP sets of one namespace, loaded when first looked at.
type ipsets struct {
	mu   sync.Mutex
	sets map[string]host.IPSet
}

// IPSets returns the IP sets of the namespace.
func (n *Net) IPSets() host.IPSets { return ipsetsOf{n} }

type ipsetsOf struct{ n *Net }

// open returns the sets, locked.
func (t ipsetsOf) open(ctx context.Context) (sets map[string]host.IPSet, unlock func(), err error) {
	s := &t.n.ipsets
	s.mu.Lock()
	if s.sets == nil {
		var all []host.IPSet
		switch {
		case t.n.base != nil:
			all, err = t.n.base.IPSets().List(ctx)
		case t.n.seed != nil:
			all = t.n.seed.IPSets
		}
		if err != nil {
			s.mu.Unlock()
			return nil, nil, err
		}
		s.sets = map[string]host.IPSet{}
		for _, one := range all {
			s.sets[one.Name] = one
		}
	}
	return s.sets, s.mu.Unlock, nil
}

func (t ipsetsOf) List(ctx context.Context) ([]host.IPSet, error) {
	sets, unlock, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := []host.IPSet{}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		out = append(out, sets[name])
	}
	return out, nil
}

func (t ipsetsOf) Get(ctx context.Context, name string) (host.IPSet, error) {
	sets, unlock, err := t.open(ctx)
	if err != nil {
		return host.IPSet{}, err
	}
	defer unlock()
	s, ok := sets[name]
	if !ok {
		return s, noSet("read IP set", name)
	}
	return s, nil
}

func noSet(op, name string) error {
	return &host.Error{Op: op, Object: name, Kind: host.ErrNotExist, Err: errors.New("The set with the given name does not exist")} // as ipset says it
}

// Canonical asks the base. Without one it fills in what the kernel does, and takes entries as they are.
func (t ipsetsOf) Canonical(ctx context.Context, s host.IPSet) (host.IPSet, error) {
	tool, err := t.n.tool(ctx)
	if err != nil {
		return s, err
	}
	if tool != nil {
		return tool.IPSets().Canonical(ctx, s)
	}
	options := map[string]string{}
	switch kind, _, _ := strings.Cut(s.Type, ":"); kind {
	case "hash":
		options = map[string]string{"family": "inet", "hashsize": "1024", "maxelem": "65536"}
	case "list":
		options["size"] = "8"
	}
	maps.Copy(options, s.Options)
	if n, err := strconv.Atoi(options["hashsize"]); err == nil {
		size := 64
		for size < n {
			size *= 2
		}
		options["hashsize"] = strconv.Itoa(size)
	}
	s.Options, s.Entries = options, slices.Sorted(slices.Values(s.Entries))
	return s, nil
}

func (t ipsetsOf) Set(ctx context.Context, s host.IPSet, drop []string) error {
	sets, unlock, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	is, there := sets[s.Name]
	if !there {
		is = host.IPSet{Name: s.Name, Type: s.Type}
	}
	fits := s.Fits(is)
	gone := map[string]bool{}
	for _, e := range slices.Concat(drop, s.Entries) {
		gone[host.Element(e)] = true
	}
	is.Entries = slices.DeleteFunc(slices.Clone(is.Entries), func(e string) bool { return gone[host.Element(e)] })
	for _, e := range s.Entries {
		if _, ok := sets[host.Element(e)]; s.Type == "list:set" && !ok {
			return noSet("change IP set", s.Name)
		}
		is.Entries = append(is.Entries, host.StableEntry(e))
	}
	slices.Sort(is.Entries)
	if !fits {
		is.Options = maps.Clone(is.Options)
		if is.Options == nil {
			is.Options = map[string]string{}
		}
		maps.Copy(is.Options, s.Options)
		maps.DeleteFunc(is.Options, func(_, v string) bool { return v == "false" })
	}
	if !is.HasOption("comment") {
		for i, e := range is.Entries {
			is.Entries[i] = host.EntryWith(e, func(option string) bool { return option != "comment" })
		}
	}
	if most, err := strconv.Atoi(is.Options["maxelem"]); err == nil && len(is.Entries) > most {
		return &host.Error{Op: "change IP set", Object: s.Name, Err: errors.New("Hash is full, cannot add more elements")}
	}
	sets[s.Name] = is
	t.n.h.wrote()
	return nil
}

func (t ipsetsOf) Delete(ctx context.Context, name string) error {
	used, err := t.used(ctx, name)
	if err != nil {
		return err
	}
	sets, unlock, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, ok := sets[name]; !ok {
		return noSet("delete IP set", name)
	}
	for _, s := range sets {
		used = used || s.Type == "list:set" && slices.ContainsFunc(s.Entries, func(e string) bool { return host.Element(e) == name })
	}
	if used {
		return &host.Error{Op: "delete IP set", Object: name, Kind: host.ErrBusy, Err: errors.New("Set cannot be destroyed: it is in use by a kernel component")}
	}
	delete(sets, name)
	t.n.h.wrote()
	return nil
}

// used reports whether a rule of iptables names the set.
func (t ipsetsOf) used(ctx context.Context, name string) (bool, error) {
	tables, err := netfilterState(ctx, t.n.Netfilter())
	if err != nil {
		return false, fmt.Errorf("delete IP set %s: %w", name, err)
	}
	for _, family := range tables {
		for _, table := range family {
			for _, c := range table.Chains {
				if slices.ContainsFunc(c.Rules, func(r string) bool { return slices.Contains(host.SetsOf(r), name) }) {
					return true, nil
				}
			}
		}
	}
	return false, nil
}
