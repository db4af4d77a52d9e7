package linux

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// IPSets returns the IP sets of the namespace.
func (n *Net) IPSets() host.IPSets { return ipsets{n} }

type ipsets struct{ n *Net }

// ipset runs the tool by way of run, and puts its complaint into words.
func (t ipsets) ipset(op, name, script string, run func(path string) (string, error)) (string, error) {
	path := t.n.h.lookTool("ipset")
	if path == "" {
		return "", &host.Error{Op: op, Object: name, Kind: host.ErrUnsupported, Err: errors.New("ipset is not installed: install the package ipset")}
	}
	out, err := run(path)
	te, ok := errors.AsType[*toolError](err)
	if !ok {
		return out, err
	}
	_, text, _ := strings.Cut(strings.TrimSpace(te.stderr), ": ") // "ipset v7.17: "
	if c, ok := complaintOf(script, text, "Error in line "); ok {
		text = c.line + ": " + c.what
	}
	e := &host.Error{Op: op, Object: name, Err: errors.New(text), Kind: kind(err)}
	for part, kind := range map[string]error{"does not exist": host.ErrNotExist, "in use": host.ErrBusy, "not supported": host.ErrUnsupported, "Cannot open session": host.ErrUnsupported} {
		if strings.Contains(text, part) {
			e.Kind = kind
		}
	}
	return "", e
}

// in is ipset in the namespace.
func (t ipsets) in(ctx context.Context, op, name, script string, args ...string) (string, error) {
	return t.ipset(op, name, script, func(path string) (string, error) { return t.n.run(ctx, path, script, args...) })
}

// parseSets reads what ipset save prints.
func parseSets(saved string) []host.IPSet {
	at := map[string]int{}
	var out []host.IPSet
	for line := range strings.Lines(saved) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, rest, _ := strings.Cut(rest, " ")
		if i, ok := at[name]; ok && verb == "add" {
			out[i].Entries = append(out[i].Entries, rest)
		}
		if words := strings.Fields(rest); verb == "create" && len(words) > 0 {
			s := host.IPSet{Name: name, Type: words[0], Options: map[string]string{}}
			for i := 1; i < len(words); i++ {
				switch w := words[i]; {
				case slices.Contains(host.IPSetFlags, w):
					s.Options[w] = "true"
				case i+1 < len(words):
					i++
					s.Options[w] = words[i]
				}
			}
			delete(s.Options, "initval") // of the hash function: chosen at random
			delete(s.Options, "bucketsize")
			at[name], out = len(out), append(out, s)
		}
	}
	for i := range out {
		slices.Sort(out[i].Entries)
	}
	return out
}

func stableSets(saved string) []host.IPSet {
	sets := parseSets(saved)
	for _, s := range sets {
		for i, e := range s.Entries {
			s.Entries[i] = host.StableEntry(e)
		}
		slices.Sort(s.Entries)
	}
	return sets
}

func (t ipsets) List(ctx context.Context) ([]host.IPSet, error) {
	out, err := t.in(ctx, "list IP sets", "", "", "save")
	sets := stableSets(out)
	host.Sort(sets, func(a, b host.IPSet) int { return strings.Compare(a.Name, b.Name) })
	return sets, err
}

func (t ipsets) Get(ctx context.Context, name string) (host.IPSet, error) {
	out, err := t.in(ctx, "read IP set", name, "", "save", name)
	if sets := stableSets(out); len(sets) == 1 {
		return sets[0], err
	}
	return host.IPSet{}, err
}

// createLine and addLine are commands of ipset restore.
func createLine(name string, s host.IPSet) string {
	b := "create " + name + " " + s.Type
	for _, key := range slices.Sorted(maps.Keys(s.Options)) {
		switch {
		case !slices.Contains(host.IPSetFlags, key):
			b += " " + key + " " + s.Options[key]
		case s.HasOption(key):
			b += " " + key
		}
	}
	return b + "\n"
}

func addLine(name, entry string) string { return "add " + name + " " + entry + "\n" }

// emptySets are commands that make sets of some kind, for rules and sets that name them.
func emptySets(names []string) string {
	script := ""
	for _, name := range names {
		script += "create " + name + " hash:ip\n"
	}
	return script
}

func (t ipsets) Canonical(ctx context.Context, s host.IPSet) (host.IPSet, error) {
	script := ""
	if s.Type == "list:set" {
		for _, e := range s.Entries {
			script += emptySets([]string{host.Element(e)})
		}
	}
	script += createLine(s.Name, s)
	for _, e := range s.Entries {
		script += addLine(s.Name, e)
	}
	out, err := t.ipset("make IP set", s.Name, script, func(path string) (out string, err error) {
		err = inFreshNetNS(func() error {
			if _, err := runTool(ctx, path, script, "-exist", "restore"); err != nil {
				return err
			}
			out, err = runTool(ctx, path, "", "save", s.Name)
			return err
		})
		return out, err
	})
	sets := parseSets(out)
	if err != nil || len(sets) != 1 {
		return s, err
	}
	for i, e := range sets[0].Entries {
		if usualTimeout(sets[0], e) {
			sets[0].Entries[i] = host.StableEntry(e)
		}
	}
	return sets[0], nil
}

// usualTimeout reports whether an entry just added lives as long as the set says: a second may have passed.
func usualTimeout(s host.IPSet, entry string) bool {
	usual, _ := strconv.Atoi(s.Options["timeout"])
	_, text, _ := strings.Cut(entry, " timeout ")
	left, err := strconv.Atoi(host.Element(text))
	return err != nil || left <= usual && left >= usual-2 && (left > 0) == (usual > 0)
}

func (t ipsets) Set(ctx context.Context, s host.IPSet, drop []string) error {
	saved, err := t.in(ctx, "read IP set", s.Name, "", "save", s.Name)
	if err != nil && !errors.Is(err, host.ErrNotExist) {
		return err
	}
	have, script := parseSets(saved), ""
	switch {
	case len(have) == 0:
		script = createLine(s.Name, s)
	case !s.Fits(have[0]):
		return t.swap(ctx, have[0], s, drop)
	}
	for _, e := range s.Entries {
		script += addLine(s.Name, e)
	}
	for _, e := range drop {
		script += "del " + s.Name + " " + host.Element(e) + "\n"
	}
	return t.write(ctx, "change IP set", s.Name, script, "-exist", "restore")
}

// swap makes a second set, with what the first one holds, and gives it the name of the first in one step.
func (t ipsets) swap(ctx context.Context, have, s host.IPSet, drop []string) error {
	as := have
	as.Options = maps.Clone(have.Options)
	maps.Copy(as.Options, s.Options)
	other := "labctl-" + strconv.Itoa(os.Getpid())
	script := createLine(other, as)
	gone := map[string]bool{}
	for _, e := range slices.Concat(drop, s.Entries) {
		gone[host.Element(e)] = true
	}
	options := map[string]string{"packets": "counters", "bytes": "counters", "skbmark": "skbinfo", "skbprio": "skbinfo", "skbqueue": "skbinfo", "timeout": "timeout", "comment": "comment"}
	for _, e := range have.Entries {
		if !gone[host.Element(e)] {
			script += addLine(other, host.EntryWith(e, func(option string) bool { return options[option] == "" || as.HasOption(options[option]) }))
		}
	}
	for _, e := range s.Entries {
		script += addLine(other, e)
	}
	err := t.write(ctx, "change IP set", s.Name, script+"swap "+other+" "+s.Name+"\ndestroy "+other+"\n", "-exist", "restore")
	if err != nil {
		_, _ = t.in(ctx, "delete IP set", other, "", "destroy", other)
	}
	return err
}

func (t ipsets) Delete(ctx context.Context, name string) error {
	return t.write(ctx, "delete IP set", name, "", "destroy", name)
}

func (t ipsets) write(ctx context.Context, op, name, script string, args ...string) error {
	t.n.h.writes.Add(1)
	_, err := t.in(ctx, op, name, script, args...)
	return err
}
