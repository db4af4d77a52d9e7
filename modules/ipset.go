package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[IPSet]{
		Name: "ipset",
		Doc: "Manages an IP set, as ipset(8), for rules of iptables with match_set. Entries are added and removed in place, and others stay unless " +
			"exclusive is set. A set whose options change is made anew beside the old one, with its entries, and swapped with it in one step.",
		Example: `ipset "banned" {
  type    = "hash:net"
  timeout = 3600
  comment = true
  entries = ["203.0.113.0/24", "198.51.100.7 timeout 0 comment \"for good\""]
}
iptables_rule "drop" {
  chain     = "INPUT"
  match_set = "banned src"
  jump      = "DROP"
}`,
		Validate: (*IPSet).validate, Complete: (*IPSet).complete, Read: readIPSet, ReadAbsent: readPresentIPSet, Apply: applyIPSet,
	})
}

// IPSet is an IP set.
type IPSet struct {
	InNetNS
	Name     string  `json:"name" lab:"key" doc:"Name of the set."`
	Type     string  `json:"type,omitempty" lab:"required,immutable" doc:"What it holds: hash:ip, hash:net, hash:ip,port, hash:net,iface, bitmap:port, list:set, ..."`
	Family   *string `json:"family,omitempty" lab:"immutable" enum:"inet,inet6" doc:"hash: address family; inet if unset when the set is made."`
	HashSize *int    `json:"hashsize,omitempty" doc:"hash: its size, rounded up to a power of two; it grows by itself, and larger is right."`
	MaxElem  *int    `json:"maxelem,omitempty" doc:"hash: most entries that it takes."`
	NetMask  *int    `json:"netmask,omitempty" doc:"hash:ip, bitmap:ip: length of the prefix that addresses are cut to."`
	Range    *string `json:"range,omitempty" doc:"bitmap: addresses or ports that it covers, such as 10.0.0.0/24 or 0-1023."`
	Size     *int    `json:"size,omitempty" doc:"list:set: most sets that it takes."`
	Timeout  *int    `json:"timeout,omitempty" doc:"Seconds that an entry lives when it does not say; 0 is for good. A set without it has no timeouts at all."`
	Comment  *bool   `json:"comment,omitempty" doc:"Whether entries have comments."`
	Counters *bool   `json:"counters,omitempty" doc:"Whether entries count packets and bytes."`

	Entries   []string `json:"entries,omitempty" lab:"set" doc:"Entries as for ipset add, options included; left alone if unset. How long one has yet to live is not compared."`
	Exclusive bool     `json:"exclusive,omitempty" lab:"option" default:"false" doc:"Whether all other entries are removed."`

	made *host.IPSet // canonical
}

// ipsetOption is an attribute that is an option of the set.
type ipsetOption struct {
	name   string
	text   **string
	number **int
	flag   **bool
}

func (s *IPSet) options() []ipsetOption {
	return []ipsetOption{{"family", &s.Family, nil, nil}, {"range", &s.Range, nil, nil}, {"hashsize", nil, &s.HashSize, nil}, {"maxelem", nil, &s.MaxElem, nil},
		{"netmask", nil, &s.NetMask, nil}, {"size", nil, &s.Size, nil}, {"timeout", nil, &s.Timeout, nil}, {"comment", nil, nil, &s.Comment}, {"counters", nil, nil, &s.Counters}}
}

// given returns the options that s sets.
func (s *IPSet) given() map[string]string {
	out := map[string]string{}
	for _, o := range s.options() {
		switch {
		case o.text != nil && *o.text != nil:
			out[o.name] = **o.text
		case o.number != nil && *o.number != nil:
			out[o.name] = strconv.Itoa(**o.number)
		case o.flag != nil && *o.flag != nil:
			out[o.name] = strconv.FormatBool(**o.flag)
		}
	}
	return out
}

// take sets the attributes to what the host says.
func (s *IPSet) take(from host.IPSet) {
	for _, o := range s.options() {
		v, ok := from.Options[o.name]
		switch {
		case o.flag != nil:
			*o.flag = ptr(from.HasOption(o.name))
		case !ok:
		case o.text != nil:
			*o.text = &v
		default:
			if n, err := strconv.Atoi(v); err == nil {
				*o.number = &n
			}
		}
	}
}

func (s *IPSet) validate() error {
	kind, _, _ := strings.Cut(s.Type, ":")
	switch {
	case s.Name == "" || len(s.Name) > 31 || strings.ContainsFunc(s.Name, func(r rune) bool { return r <= ' ' || r == '"' || r > '~' }):
		return argf("name", "%q is not a name of 1 to 31 characters", s.Name)
	case s.Type != "" && kind != "hash" && kind != "bitmap" && s.Type != "list:set":
		return argf("type", "%q is not a type such as hash:ip, hash:net, bitmap:port or list:set", s.Type)
	}
	for i, e := range s.Entries {
		if words := strings.Fields(e); len(words) == 0 || strings.ContainsAny(e, "\r\n\x00") || words[0][0] == '-' {
			return argf(fmt.Sprintf("entries[%d]", i), "%q is not an entry", e)
		}
		s.Entries[i] = strings.TrimSpace(e)
	}
	for name, kinds := range map[string]string{"family": "hash", "hashsize": "hash", "maxelem": "hash", "netmask": "hash bitmap", "range": "bitmap", "size": "list"} {
		if _, set := s.given()[name]; set && s.Type != "" && !strings.Contains(kinds, kind) {
			return argf(name, "%s has no %s", s.Type, name)
		}
	}
	return firstFault(inRange("hashsize", s.HashSize, 1, 1<<31-1), inRange("maxelem", s.MaxElem, 1, 1<<31-1), inRange("netmask", s.NetMask, 1, 128),
		inRange("size", s.Size, 1, 65536), inRange("timeout", s.Timeout, 0, 2147483))
}

func (s *IPSet) complete() error {
	switch {
	case strings.HasPrefix(s.Type, "bitmap:") && s.Range == nil:
		return argf("range", "a bitmap needs the range that it covers")
	case s.Exclusive && s.Entries == nil:
		return argf("entries", "exclusive needs entries: [] for none at all")
	}
	return nil
}

func readIPSet(ctx context.Context, h host.Host, want *IPSet) (*IPSet, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	is, err := n.IPSets().Get(ctx, want.Name)
	there := err == nil
	if err != nil && !errors.Is(err, host.ErrNotExist) {
		return nil, err
	}
	if want.made == nil {
		if err := want.canonical(ctx, n, is); err != nil {
			return nil, err
		}
	}
	if !there {
		return nil, nil
	}
	have := want.as(is)
	if want.HashSize != nil && have.HashSize != nil && *have.HashSize > *want.HashSize {
		have.HashSize = want.HashSize
	}
	if !want.Exclusive {
		have.Entries = append([]string{}, within(have.Entries, want.Entries)...)
	}
	return have, nil
}

// canonical puts what the host makes of s into s. What s leaves alone is as it is there.
func (s *IPSet) canonical(ctx context.Context, n host.Net, is host.IPSet) error {
	as := host.IPSet{Name: s.Name, Type: s.Type, Options: map[string]string{}, Entries: s.Entries}
	if is.Type == s.Type {
		for name, v := range is.Options {
			as.Options[name] = v
		}
	}
	for name, v := range s.given() {
		as.Options[name] = v
	}
	made, err := n.IPSets().Canonical(ctx, as)
	if err != nil {
		return err
	}
	s.made = &made
	if s.HashSize != nil {
		n, err := strconv.Atoi(made.Options["hashsize"])
		if err != nil {
			return fmt.Errorf("read hashsize of an ipset: %w", err)
		}
		s.HashSize = &n
	}
	if s.Range != nil {
		s.Range = ptr(made.Options["range"])
	}
	if s.Entries != nil {
		s.Entries = stableEntries(made.Entries)
	}
	return nil
}

func stableEntries(entries []string) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = host.StableEntry(e)
	}
	slices.Sort(out)
	return out
}

// as tells of a set in the words of the module.
func (s *IPSet) as(is host.IPSet) *IPSet {
	have := &IPSet{InNetNS: s.InNetNS, Name: s.Name, Type: is.Type, Entries: append([]string{}, is.Entries...)}
	have.take(is)
	return have
}

// readPresentIPSet reads the set whatever it should be.
func readPresentIPSet(ctx context.Context, h host.Host, want *IPSet) (*IPSet, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	is, err := n.IPSets().Get(ctx, want.Name)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return want.as(is), nil
}

func applyIPSet(ctx context.Context, h host.Host, have, want *IPSet, _ Diff) error {
	if want == nil {
		n, err := have.net(ctx, h)
		if err != nil {
			return err
		}
		return n.IPSets().Delete(ctx, have.Name)
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	if have == nil {
		return n.IPSets().Set(ctx, *want.made, nil)
	}
	s := host.IPSet{Name: want.Name, Type: want.Type, Options: want.given()}
	for _, e := range want.made.Entries {
		if !slices.Contains(have.Entries, host.StableEntry(e)) {
			s.Entries = append(s.Entries, e)
		}
	}
	var drop []string
	if want.Exclusive {
		for _, e := range have.Entries {
			if !slices.ContainsFunc(want.Entries, func(w string) bool { return host.Element(w) == host.Element(e) }) {
				drop = append(drop, e)
			}
		}
	}
	return n.IPSets().Set(ctx, s, drop)
}
