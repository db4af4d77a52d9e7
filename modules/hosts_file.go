package modules

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[HostsFile]{
		Name: "hosts_file",
		Doc:  "Keeps the names of addresses in /etc/hosts (hosts(5)). Lines of other addresses stay as they are.",
		Example: `hosts_file "192.168.50.4" { names = ["boxA.lab", "boxA"] }
hosts_file "lab" {
  entries = {
    "192.168.50.5" = "boxB.lab boxB"
    "192.168.50.6" = "boxC.lab boxC"
  }
}
`,
		Validate: (*HostsFile).validate, Complete: (*HostsFile).complete, Read: readHosts, ReadAbsent: readHostsAbsent, Apply: applyHosts,
	})
}

// HostsFile is one entry of /etc/hosts, or several.
type HostsFile struct {
	Address string            `json:"address" lab:"key" doc:"IP address; with entries whatever the task shall be called."`
	Names   []string          `json:"names,omitempty" doc:"All names of the address, the canonical one first. Absent: the names to take from it; all of them if unset."`
	Entries map[string]string `json:"entries,omitempty" doc:"Several at once: from each address to its names, with blanks between them."`
	Path    string            `json:"path,omitempty" lab:"option" default:"/etc/hosts" doc:"Absolute path of the file."`

	taken map[string]string // when removing: the names that go, by address
}

func (f *HostsFile) validate() error {
	if f.Path == "" {
		f.Path = "/etc/hosts"
	}
	if err := absolute("path", f.Path); err != nil {
		return err
	}
	if f.Entries == nil {
		ip, err := hostsEntry("address", "names", f.Address, f.Names)
		f.Address = ip
		return err
	}
	if f.Names != nil {
		return argf("names", "cannot be together with entries")
	}
	entries := map[string]string{}
	for address, names := range f.Entries {
		ip, err := hostsEntry("entries", "entries", address, strings.Fields(names))
		if err != nil {
			return err
		}
		if entries[ip] = oneBlank(names); entries[ip] == "" {
			return argf("entries", "%s has no names; what shall not be there is taken away with ensure = \"absent\"", address)
		}
	}
	f.Entries = entries
	return nil
}

func (f *HostsFile) complete() error {
	if f.Entries == nil && len(f.Names) == 0 {
		return argf("names", "an address needs a name; what shall not be there is taken away with ensure = \"absent\"")
	}
	return nil
}

// hostsEntry checks one entry, given by two arguments, and returns its address in the usual spelling.
func hostsEntry(addressArg, namesArg, address string, names []string) (string, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "", argf(addressArg, "%q is not an IP address; several at once go into entries", address)
	}
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, "# \t\r\n\x00") {
			return "", argf(namesArg, "%q is not the name of a host", n)
		}
	}
	return ip.String(), nil
}

// wanted returns the entries as a map, whichever way they were given.
func (f *HostsFile) wanted() map[string]string {
	if f.Entries != nil {
		return f.Entries
	}
	return map[string]string{f.Address: strings.Join(f.Names, " ")}
}

// hostsLine splits a line of hosts(5): ok is false for comments and what is none.
func hostsLine(line string) (address string, names []string, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	if len(words) < 2 {
		return "", nil, false
	}
	if ip, err := netip.ParseAddr(words[0]); err == nil {
		words[0] = ip.String()
	}
	return words[0], words[1:], true
}

// hostsNames returns the names that the file gives to the addresses of want.
func hostsNames(ctx context.Context, h host.Host, want *HostsFile) (map[string]string, error) {
	lines, err := fileLines(ctx, h, want.Path)
	have := map[string]string{}
	for _, l := range lines {
		address, names, ok := hostsLine(l)
		if _, ours := want.wanted()[address]; ok && ours {
			have[address] = strings.TrimPrefix(have[address]+" "+strings.Join(names, " "), " ")
		}
	}
	return have, err
}

// as returns what is there in the words of f; nil: nothing.
func (f *HostsFile) as(have map[string]string) *HostsFile {
	out := &HostsFile{Address: f.Address, Path: f.Path}
	switch {
	case len(have) == 0:
		return nil
	case f.Entries != nil:
		out.Entries = have
	default:
		out.Names = strings.Fields(have[f.Address])
	}
	return out
}

func readHosts(ctx context.Context, h host.Host, want *HostsFile) (*HostsFile, error) {
	have, err := hostsNames(ctx, h, want)
	return want.as(have), err
}

// readHostsAbsent returns what would go: of each address the names given, or all that it has.
func readHostsAbsent(ctx context.Context, h host.Host, want *HostsFile) (*HostsFile, error) {
	have, err := hostsNames(ctx, h, want)
	going := map[string]string{}
	for address, names := range have {
		kept := strings.Fields(want.wanted()[address])
		gone := slices.DeleteFunc(strings.Fields(names), func(n string) bool { return len(kept) > 0 && !slices.Contains(kept, n) })
		if len(gone) > 0 {
			going[address] = strings.Join(gone, " ")
		}
	}
	out := want.as(going)
	if out != nil {
		out.taken = going
	}
	return out, err
}

func applyHosts(ctx context.Context, h host.Host, have, want *HostsFile, _ Diff) error {
	f := want
	if want == nil {
		f = have
	}
	lines, err := fileLines(ctx, h, f.Path)
	if err != nil {
		return err
	}
	if want == nil {
		return putLines(ctx, h, f.Path, withoutNames(lines, have.taken), host.FileAttrs{})
	}
	return putLines(ctx, h, f.Path, withEntries(lines, want.wanted()), host.FileAttrs{})
}

// withEntries puts each entry in place of the first line of its address, or at the end, and drops the address' other lines.
// A line that is right stays as it is written.
func withEntries(lines []string, entries map[string]string) []string {
	var out []string
	left := maps.Clone(entries)
	for _, l := range lines {
		address, names, ok := hostsLine(l)
		want, ours := entries[address]
		if !ok || !ours {
			out = append(out, l)
			continue
		}
		if _, first := left[address]; !first {
			continue
		}
		delete(left, address)
		if strings.Join(names, " ") != want {
			l = address + " " + want
		}
		out = append(out, l)
	}
	for _, address := range slices.Sorted(maps.Keys(left)) {
		out = append(out, address+" "+left[address])
	}
	return out
}

// withoutNames takes names from addresses; a line without names goes.
func withoutNames(lines []string, taken map[string]string) []string {
	var out []string
	for _, l := range lines {
		address, names, ok := hostsLine(l)
		gone := strings.Fields(taken[address])
		left := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(gone, n) })
		switch {
		case !ok || len(left) == len(names):
			out = append(out, l)
		case len(left) > 0:
			out = append(out, address+" "+strings.Join(left, " "))
		}
	}
	return out
}
