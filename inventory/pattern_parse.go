package inventory

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// splitTerms splits at commas, colons and blanks that stand outside of brackets, parentheses and braces. Between commas, an IPv6
// address is one term.
func splitTerms(s string) []string {
	var out []string
	for _, part := range splitAt(s, ",") {
		if _, err := netip.ParseAddr(strings.TrimLeft(strings.TrimSpace(part), "!&")); err == nil {
			out = append(out, strings.TrimSpace(part))
			continue
		}
		out = append(out, splitAt(part, ": \t\r\n")...)
	}
	return out
}

func splitAt(s, separators string) []string {
	var out []string
	depth, start := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case strings.IndexByte("[({", c) >= 0:
			depth++
		case strings.IndexByte("])}", c) >= 0:
			depth--
		case depth <= 0 && strings.IndexByte(separators, c) >= 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// index is a subscript: one position, or from the first to the last of a range. Negative ones count from the end.
type index struct {
	first, last       int
	openEnd, isSingle bool
}

// A range may be written with -, too, if its ends count from the front (ansible.inventory.manager.PATTERN_WITH_SUBSCRIPT, which does
// not know of others).
var subscripts = regexp.MustCompile(`^(.+)\[(-?[0-9]+)\]$|^(.+)\[(-?[0-9]*):(-?[0-9]*)\]$|^(.+)\[([0-9]+)-([0-9]*)\]$`)

// subscript takes a term with a position or a range at its end apart. A regular expression has none.
func subscript(t string) (base string, sub index, ok bool) {
	m := subscripts.FindStringSubmatch(t)
	if m == nil || t[0] == '~' {
		return "", sub, false
	}
	if m[1] != "" {
		sub.first, _ = strconv.Atoi(m[2])
		sub.isSingle = true
		return m[1], sub, true
	}
	base, first, last := m[3]+m[6], m[4]+m[7], m[5]+m[8]
	sub.first, _ = strconv.Atoi(first)
	sub.last, _ = strconv.Atoi(last)
	sub.openEnd = last == ""
	return base, sub, first != "" || last != ""
}

func slice(set []*Host, s index) []*Host {
	n := len(set)
	from, to := s.first, s.last
	if from < 0 {
		from += n
	}
	switch {
	case s.isSingle:
		to = from
	case s.openEnd:
		to = n - 1
	case to < 0:
		to += n
	}
	if !s.isSingle {
		from = max(from, 0)
	}
	if to = min(to, n-1); from < 0 || from > to {
		return nil
	}
	return set[from : to+1]
}
