package host

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// NFTables reads and changes the tables of nftables of one namespace, each a text in the words of nft -s list table. A table
// is named by family and name, such as "inet filter".
type NFTables interface {
	// Tables returns all tables by name. ErrUnsupported when the host lacks nft.
	Tables(ctx context.Context) (map[string]string, error)
	// Table returns one table. ErrNotExist.
	Table(ctx context.Context, name string) (string, error)
	// Canonical returns the table that a script makes, as it would be listed. The tool of the host decides, in a namespace made
	// for it that has devices of these names, beside lo. A script that makes other tables is refused.
	Canonical(ctx context.Context, name, script string, devices []string) (string, error)
	// Replace puts a canonical table in the place of the one there is, if any, in one transaction. Elements that come and go
	// by themselves stay, where their set does.
	Replace(ctx context.Context, name, text string) error
	// Delete removes one table. ErrNotExist.
	Delete(ctx context.Context, name string) error
}

// NFTSet is a set or map in the text of a table whose elements come and go by themselves: packets put them in (flags
// dynamic), or time takes them out (a timeout).
type NFTSet struct {
	Declaration string // all but the elements
	Elements    []string
}

// SplitNFTables returns the tables of nft list ruleset by name.
func SplitNFTables(ruleset string) map[string]string {
	out := map[string]string{}
	name := ""
	for line := range strings.Lines(ruleset) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "table" && line[0] == 't' {
			name = words[1] + " " + words[2]
		}
		if name != "" && line[0] != '#' { // newer versions remark on tables of iptables
			out[name] += line
		}
		if line == "}\n" {
			name = ""
		}
	}
	return out
}

// StableNFTable returns a table without the elements that come and go by themselves, and the sets that have such.
func StableNFTable(text string) (string, map[string]NFTSet) {
	var out []string
	sets := map[string]NFTSet{}
	lines := slices.Collect(strings.Lines(text))
	for i := 0; i < len(lines); i++ {
		words := strings.Fields(lines[i])
		if len(words) < 3 || words[0] != "set" && words[0] != "map" || !strings.HasPrefix(lines[i], "\t"+words[0]) {
			out = append(out, lines[i])
			continue
		}
		end := i
		for end < len(lines)-1 && lines[end] != "\t}\n" {
			end++
		}
		block := lines[i : end+1]
		if set, rest, ok := transient(block); ok {
			sets[words[1]], block = set, rest
		}
		out, i = append(out, block...), end
	}
	return strings.Join(out, ""), sets
}

// transient takes a set apart; not ok: its elements stay.
func transient(block []string) (set NFTSet, rest []string, ok bool) {
	elements, inside := "", false
	for _, line := range block {
		text := strings.TrimSpace(line)
		switch {
		case inside:
			elements += " " + text
		case strings.HasPrefix(text, "elements = {"):
			elements, inside = strings.TrimPrefix(text, "elements = {"), true
		default:
			rest = append(rest, line)
			flags, _ := strings.CutPrefix(text, "flags ")
			ok = ok || strings.HasPrefix(text, "timeout ") || flags != text && (strings.Contains(flags, "dynamic") || strings.Contains(flags, "timeout"))
			continue
		}
		inside = !strings.HasSuffix(elements, " }")
	}
	set.Declaration = strings.Join(rest, "")
	if elements = strings.TrimSpace(strings.TrimSuffix(elements, "}")); elements != "" {
		set.Elements = splitElements(elements)
	}
	return set, rest, ok
}

// splitElements splits at the commas that are not in quotes.
func splitElements(s string) []string {
	var out []string
	quoted, from := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out, from = append(out, strings.TrimSpace(s[from:i])), i+1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}

// KeptNFTElements returns nft commands that put back, behind the text of a new table, the elements that the old one has
// by itself and whose set is in the new one too.
func KeptNFTElements(name, old, text string) string {
	_, had := StableNFTable(old)
	_, has := StableNFTable(text)
	key := func(element string) string {
		for _, end := range []string{" : ", " timeout ", " expires ", " counter", " limit ", " quota ", " comment ", " ct count "} {
			element, _, _ = strings.Cut(element, end)
		}
		return element
	}
	var b strings.Builder
	for _, set := range slices.Sorted(maps.Keys(had)) {
		was, is := had[set], has[set]
		if was.Declaration != is.Declaration {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(was.Elements), func(e string) bool {
			return slices.ContainsFunc(is.Elements, func(n string) bool { return key(n) == key(e) })
		})
		if len(kept) > 0 {
			b.WriteString("add element " + name + " " + set + " { " + strings.Join(kept, ", ") + " }\n")
		}
	}
	return b.String()
}
