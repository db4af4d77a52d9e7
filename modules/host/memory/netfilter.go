package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"labctl/modules/host"
)

// netfilter is the iptables state of one namespace, loaded table by table when first looked at.
type netfilter struct {
	mu     sync.Mutex
	loaded map[tableKey]*table
}

type tableKey struct {
	family  host.Family
	backend string
	name    string
}

// table is a table as it was loaded and as it is by now. Tables are replaced, never changed.
type table struct{ was, is host.Table }

// Netfilter returns the iptables of the namespace.
func (n *Net) Netfilter() host.Netfilter { return netfilterOf{n} }

type netfilterOf struct{ n *Net }

// iptables is one family of one namespace. tool is who canonicalises: the base's tables, those of a namespace that only
// exists here being made by the base's scratch; nil for a snapshot.
type iptables struct {
	n       *Net
	family  host.Family
	backend string
	base    host.IPTables // tables to load from; nil: the namespace is new, or comes from a snapshot
	tool    host.IPTables
}

var (
	_ host.Netfilter = netfilterOf{}
	_ host.IPTables  = (*iptables)(nil)
)

func (nf netfilterOf) IPTables(ctx context.Context, f host.Family, backend string) (host.IPTables, error) {
	n := nf.n
	t := &iptables{n: n, family: f, backend: backend}
	tool, err := n.tool(ctx)
	if err != nil {
		return nil, err
	}
	if tool == nil {
		return t.withoutTool()
	}
	if t.tool, err = tool.Netfilter().IPTables(ctx, f, backend); err != nil {
		return nil, err
	}
	t.backend = t.tool.Backend()
	if n.base != nil {
		t.base = t.tool
	}
	return t, nil
}

// withoutTool serves a snapshot, which does not tell back ends apart.
func (t *iptables) withoutTool() (host.IPTables, error) {
	switch t.backend {
	case "":
		t.backend = host.BackendNFT
	case host.BackendNFT, host.BackendLegacy:
	default:
		return nil, fmt.Errorf("open iptables: back end %q is neither %s nor %s", t.backend, host.BackendNFT, host.BackendLegacy)
	}
	return t, nil
}

// tool returns the namespace of the base whose iptables serve n: its own, or for one made here the base's scratch.
func (n *Net) tool(ctx context.Context) (host.Net, error) {
	if n.base != nil {
		return n.base, nil
	}
	if s, ok := n.h.base.(host.Scratcher); ok {
		return s.Scratch(ctx)
	}
	if n.h.base != nil {
		return n.h.base.Net(ctx, "")
	}
	return nil, nil
}

func (t *iptables) Backend() string { return t.backend }

func (t *iptables) Tables(ctx context.Context) ([]host.Table, error) {
	var names []string
	switch {
	case t.base != nil:
		tables, err := t.base.Tables(ctx)
		if err != nil {
			return nil, err
		}
		for _, tab := range tables {
			names = append(names, tab.Name)
		}
	case t.n.seed != nil:
		for _, tab := range t.n.seed.Netfilter[t.family.String()] {
			names = append(names, tab.Name)
		}
	}
	nf := &t.n.netfilter
	nf.mu.Lock()
	for k := range nf.loaded {
		if k.family == t.family && k.backend == t.backend && !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	nf.mu.Unlock()
	slices.Sort(names)
	out := make([]host.Table, 0, len(names))
	for _, name := range names {
		tab, err := t.Table(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, tab)
	}
	return out, nil
}

func (t *iptables) Table(ctx context.Context, name string) (host.Table, error) {
	nf := &t.n.netfilter
	nf.mu.Lock()
	defer nf.mu.Unlock()
	tab, err := t.loadLocked(ctx, name)
	if err != nil {
		return host.Table{}, err
	}
	return tab.is, nil
}

func (t *iptables) loadLocked(ctx context.Context, name string) (*table, error) {
	if host.BuiltinChains(name) == nil {
		return nil, &host.Error{Op: "read table", Object: name, Kind: host.ErrNotExist}
	}
	nf := &t.n.netfilter
	key := tableKey{t.family, t.backend, name}
	if tab := nf.loaded[key]; tab != nil {
		return tab, nil
	}
	was := host.Table{Name: name}
	switch {
	case t.base != nil:
		var err error
		if was, err = t.base.Table(ctx, name); err != nil {
			return nil, err
		}
	case t.n.seed != nil:
		for _, s := range t.n.seed.Netfilter[t.family.String()] {
			if s.Name == name {
				was = s
			}
		}
	}
	was = was.Complete()
	if nf.loaded == nil {
		nf.loaded = map[tableKey]*table{}
	}
	nf.loaded[key] = &table{was: was, is: was}
	return nf.loaded[key], nil
}

// Canonical asks the base. Without one it takes rules as they are: those made from a module's attributes are canonical, raw
// arguments may not be.
func (t *iptables) Canonical(ctx context.Context, rules []host.ChainRule, _ ...string) ([][]string, error) {
	sets, err := t.setsOf(ctx, rules)
	if err != nil {
		return nil, err
	}
	if t.tool != nil {
		return t.tool.Canonical(ctx, rules, sets...)
	}
	out := make([][]string, len(rules))
	for i, r := range rules {
		out[i] = []string{r.Rule}
	}
	return out, nil
}

// setsOf returns the IP sets that rules name, which must all be there.
func (t *iptables) setsOf(ctx context.Context, rules []host.ChainRule) ([]string, error) {
	var out []string
	for i, r := range rules {
		for _, name := range host.SetsOf(r.Rule) {
			if _, err := t.n.IPSets().Get(ctx, name); err != nil {
				return nil, &host.RuleError{Index: i, Rule: r, Err: fmt.Errorf("Set %s doesn't exist.", name)} // as iptables says it
			}
			out = append(out, name)
		}
	}
	return out, nil
}

func (t *iptables) Commit(ctx context.Context, have, want host.Table) error {
	nf := &t.n.netfilter
	nf.mu.Lock()
	defer nf.mu.Unlock()
	tab, err := t.loadLocked(ctx, want.Name)
	if err != nil {
		return err
	}
	if !tab.is.Equal(have) {
		return fmt.Errorf("change table %s: %w", want.Name, host.ErrChanged)
	}
	if err := accept(have, want); err != nil {
		return err
	}
	if want.Equal(have) {
		return nil
	}
	tab.is = want
	t.n.h.wrote()
	return nil
}

// accept refuses what the kernel would refuse.
func accept(have, want host.Table) error {
	for _, name := range host.BuiltinChains(want.Name) {
		c := want.Chain(name)
		if c == nil {
			return &host.Error{Op: "delete chain", Object: want.Name + " " + name, Kind: host.ErrBusy, Err: errors.New("it is built in")}
		}
		if c.Policy != "ACCEPT" && c.Policy != "DROP" {
			return fmt.Errorf("set policy of %s %s: %q is neither ACCEPT nor DROP", want.Name, name, c.Policy)
		}
	}
	for _, c := range want.Chains {
		if !slices.Contains(host.BuiltinChains(want.Name), c.Name) && c.Policy != "-" {
			return fmt.Errorf("set policy of %s %s: only built-in chains have one", want.Name, c.Name)
		}
	}
	return want.CheckJumps(have)
}

// netfilterState reads the tables of both families as data. A family that cannot be read (no tool, not root) is left out;
// where both back ends hold rules, those of nf_tables are taken.
func netfilterState(ctx context.Context, nf host.Netfilter) (map[string][]host.Table, error) {
	out := map[string][]host.Table{}
	for _, f := range []host.Family{host.IPv4, host.IPv6} {
		t, err := nf.IPTables(ctx, f, "")
		if errors.Is(err, host.ErrBusy) {
			t, err = nf.IPTables(ctx, f, host.BackendNFT)
		}
		var tables []host.Table
		if err == nil {
			tables, err = t.Tables(ctx)
		}
		switch {
		case errors.Is(err, host.ErrUnsupported), errors.Is(err, host.ErrPermission):
		case err != nil:
			return nil, err
		default:
			out[f.String()] = tables
		}
	}
	return out, nil
}
