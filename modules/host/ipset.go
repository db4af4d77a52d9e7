package host

import (
	"context"
	"slices"
	"strings"
)

// IPSet is an IP set as ipset(8) saves it.
type IPSet struct {
	Name string `json:"name"`
	Type string `json:"type"` // hash:ip, bitmap:port, list:set, ...
	// Options are those of ipset create: family, hashsize, maxelem, timeout, range, netmask, size, ..., and the flags comment,
	// counters, forceadd and skbinfo, which are "true" or "false".
	Options map[string]string `json:"options,omitempty"`
	Entries []string          `json:"entries,omitempty"` // sorted
}

// IPSets reads and changes the IP sets of one namespace. What is read tells of entries neither how long they have yet to
// live nor what they have counted.
type IPSets interface {
	// List returns all sets, by name. ErrUnsupported when the host lacks ipset.
	List(ctx context.Context) ([]IPSet, error)
	// Get returns one set. ErrNotExist.
	Get(ctx context.Context, name string) (IPSet, error)
	// Canonical returns what a set made so would be saved as, its entries with their timeouts. The tool of the host decides, in
	// a namespace made for it.
	Canonical(ctx context.Context, s IPSet) (IPSet, error)
	// Set makes a set, or gives it other options, by way of a second set that is swapped with it; then adds entries, in place
	// of those of the same element, and drops others. Options and entries not named are left alone.
	Set(ctx context.Context, s IPSet, drop []string) error
	// Delete removes one set. ErrBusy while rules or other sets use it.
	Delete(ctx context.Context, name string) error
}

// IPSetFlags are the options of a set that have no value.
var IPSetFlags = []string{"comment", "counters", "forceadd", "skbinfo"}

// Element is what an entry of a set says first, and only once.
func Element(entry string) string {
	element, _, _ := strings.Cut(entry, " ")
	return element
}

// StableEntry returns an entry without what it tells of time and of packets.
func StableEntry(entry string) string {
	return EntryWith(entry, func(option string) bool { return option != "timeout" && option != "packets" && option != "bytes" })
}

// EntryWith returns an entry with those of its options that keep holds for.
func EntryWith(entry string, keep func(option string) bool) string {
	head, comment, commented := strings.Cut(entry, ` comment "`)
	words := strings.Fields(head)
	out := words[:min(1, len(words))]
	for i := 1; i < len(words); i++ {
		pair := words[i:min(i+2, len(words))]
		if words[i] == "nomatch" {
			pair = pair[:1]
		}
		i += len(pair) - 1
		if keep(pair[0]) {
			out = append(out, pair...)
		}
	}
	text := strings.Join(out, " ")
	if commented && keep("comment") {
		text += ` comment "` + comment
	}
	return text
}

// HasOption reports whether the set has a flag, or a value for an option.
func (s IPSet) HasOption(name string) bool {
	v, ok := s.Options[name]
	return ok && v != "false"
}

// SetsOf returns the IP sets that a rule of iptables names.
func SetsOf(rule string) []string {
	var out []string
	words := RuleWords(rule)
	for i, w := range words[:max(0, len(words)-1)] {
		if slices.Contains([]string{"--match-set", "--add-set", "--del-set", "--map-set"}, w) {
			out = append(out, words[i+1])
		}
	}
	return out
}

// Fits reports whether have has the options of s. A hash grows by itself, and may be larger.
func (s IPSet) Fits(have IPSet) bool {
	for key, v := range s.Options {
		if v != have.Options[key] && !(key == "hashsize" && len(v) <= len(have.Options[key]) && (len(v) < len(have.Options[key]) || v < have.Options[key])) &&
			!(v == "false" && !have.HasOption(key)) {
			return false
		}
	}
	return true
}
