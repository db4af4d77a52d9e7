package sshconfig

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"labctl/transport"
)

// Export is a file for OpenSSH's own client: its Host entries mean there what the targets mean here.
type Export struct {
	// Site is named in the first line.
	Site string
	// Targets are the hosts. The hops before them get entries of their own.
	Targets []*transport.Target
	// Declared returns the options of a machine of the inventory, "Keyword=value", of which those are written that labctl
	// itself has no use for; and whether the inventory has a machine of that name at all.
	Declared func(name string) (options []string, ok bool)

	out   bytes.Buffer
	said  map[string]entry // by alias
	names transport.RecordedNames
}

// entry is what an alias stands for.
type entry struct {
	settings string
	direct   bool // reached without a hop before it
}

// exportMark begins a file that Export has written.
const exportMark = "# Written by labctl ssh-config"

// Exported reports whether Export has written a file.
func Exported(text []byte) bool { return bytes.HasPrefix(text, []byte(exportMark)) }

// IncludeLine is the line that includes a file of this name, and no other.
func IncludeLine(path string) string {
	var literal strings.Builder
	for _, r := range path {
		if strings.ContainsRune(`*?[\`, r) { // glob(3)
			literal.WriteByte('\\')
		}
		literal.WriteRune(r)
	}
	return "Include " + argument(literal.String())
}

// Write writes the file. What cannot be said in one, such as a value with a line break, is an error.
func (e *Export) Write(w io.Writer) error {
	e.said = map[string]entry{}
	fmt.Fprintf(&e.out, "%s for %s. What is changed here is lost when it is written again.\n", exportMark, strings.Join(strings.Fields(e.Site), " "))
	for _, t := range e.Targets { // hosts have their names, whatever hops are called
		var err error
		if e.said[t.Name], err = e.entry(t); err != nil {
			return err
		}
	}
	for _, t := range e.Targets {
		if !plainName(t.Name) {
			fmt.Fprintf(&e.out, "\n# %q: ssh takes no such name for a host.\n", t.Name)
			continue
		}
		via, err := e.hops(t)
		if err != nil {
			return err
		}
		e.block(t.Name, via)
	}
	_, err := e.out.WriteTo(w)
	return err
}

// hops writes what is still to be written of the hops before t, and returns their aliases.
func (e *Export) hops(t *transport.Target) ([]string, error) {
	var via []string
	for _, hop := range hopsOf(t) {
		said, err := e.entry(hop)
		if err != nil {
			return nil, err
		}
		alias, known := e.alias(e.hopName(hop.Name), said)
		if e.said[alias] = said; !known {
			e.block(alias, via) // to be reached by itself too
		}
		via = append(via, alias)
	}
	return via, nil
}

func (e *Export) entry(t *transport.Target) (entry, error) {
	text, err := e.settings(t)
	if err != nil {
		return entry{}, fmt.Errorf("write the entry of %s: %w", t.Name, err)
	}
	return entry{text, len(hopsOf(t)) == 0}, nil
}

// alias finds the entry that says the same, or a name for one. ssh replaces what is before a hop by the list that the hop is
// in, but for the first hop of the list: that one must be reached as here.
func (e *Export) alias(name string, want entry) (alias string, known bool) {
	for n := 1; ; n++ {
		if alias = name; n > 1 {
			alias = fmt.Sprintf("%s-%d", name, n)
		}
		have, taken := e.said[alias]
		if !taken || have.settings == want.settings && (have.direct || !want.direct) {
			return alias, taken
		}
	}
}

func (e *Export) block(alias string, via []string) {
	settings := e.said[alias].settings
	fmt.Fprintf(&e.out, "\nHost %s\n%s", argument(alias), settings)
	hops := make([]string, len(via))
	for i, v := range via {
		hops[i] = percent(jump{host: v}.String())
	}
	switch {
	case len(hops) > 0:
		fmt.Fprintf(&e.out, "  ProxyJump %s\n", strings.Join(hops, ","))
	case !strings.Contains(settings, "\n  ProxyCommand "):
		e.out.WriteString("  ProxyJump none\n") // whatever a file that includes this one says
	}
}

// hopsOf are the hops before t, in the order they are visited.
func hopsOf(t *transport.Target) []*transport.Target {
	if t.ProxyCommand != "" && !isNone(t.ProxyCommand) || t.Via == nil {
		return nil
	}
	return append(hopsOf(t.Via), t.Via)
}

// hopName is the alias of a hop: that of the inventory, or one that ssh's user does not type. What is known of an address as
// a hop is not what "ssh ADDRESS" should do.
func (e *Export) hopName(name string) string {
	if _, ok := e.Declared(name); ok && plainName(name) {
		return name
	}
	return "labctl-hop-" + strings.Trim(oddInAlias.ReplaceAllString(name, "-"), "-")
}

var oddInAlias = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// plainName reports whether ssh takes a name, and Host takes it literally (ssh.c, valid_hostname; match.c).
func plainName(s string) bool {
	return s != "" && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "!") && !strings.ContainsAny(s, "*?,@/ \t\r\n\x00'`\"$\\;&<>|(){}#")
}
