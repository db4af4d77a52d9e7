package source_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"labctl/inventory"
	"labctl/inventory/source"
)

// matched is what the real "ansible -i hosts PATTERN --list-hosts [--limit LIMIT]" said.
type matched struct {
	Pattern string
	Limit   string   `json:",omitempty"`
	Hosts   []string // in its order
	Sorted  bool     `json:",omitempty"` // it has no order: that of groups within groups changes from run to run
}

// The hosts that a pattern of testdata/patterns matches, and their order, are those of ansible-core 2.14. With -update, this asks
// the ansible of this machine (a quarter of an hour: -timeout 1h) and writes its answers to ansible.json.
func TestPatternsLikeAnsible(t *testing.T) {
	t.Chdir("testdata/patterns")
	if *update {
		recordPatterns(t)
	}
	b, err := os.ReadFile("ansible.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []matched
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Errorf("%d comparisons are too few", len(all))
	}
	inv := load(t, source.Env{}, "hosts")
	for _, want := range all {
		got := match(inv, want.Pattern)
		if want.Limit != "" {
			let := match(inv, want.Limit)
			got = slices.DeleteFunc(got, func(n string) bool { return !slices.Contains(let, n) })
		}
		if want.Sorted {
			slices.Sort(got)
		}
		if !slices.Equal(got, want.Hosts) {
			t.Errorf("%q, limit %q:\nlabctl  %q\nansible %q", want.Pattern, want.Limit, got, want.Hosts)
		}
	}
}

// match lists hosts; none where the pattern is a fault, as it is when it matches nothing.
func match(inv *inventory.Inventory, pattern string) []string {
	var out []string
	hosts, _ := inv.Match(pattern)
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	return out
}

// recordPatterns asks for each line of patterns.txt, and of limits.txt: pattern, tab, limit.
func recordPatterns(t *testing.T) {
	t.Helper()
	var all []matched
	for _, file := range []string{"patterns.txt", "limits.txt"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for row := range strings.Lines(string(b)) {
			pattern, limit, _ := strings.Cut(strings.TrimRight(row, "\n"), "\t")
			m := matched{Pattern: pattern, Limit: limit, Hosts: askAnsible(t, "1", pattern, limit)}
			for _, seed := range []string{"2", "3", "4", "5", "6", "7"} { // three have been seen to agree by chance
				m.Sorted = m.Sorted || !slices.Equal(m.Hosts, askAnsible(t, seed, pattern, limit))
			}
			if m.Sorted {
				slices.Sort(m.Hosts)
			}
			all = append(all, m)
		}
	}
	var out bytes.Buffer
	out.WriteString("[\n")
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i, m := range all {
		if err := enc.Encode(m); err != nil {
			t.Fatal(err)
		}
		if i+1 < len(all) {
			out.Truncate(out.Len() - 1) // the end of the line
			out.WriteString(",\n")
		}
	}
	out.WriteString("]\n")
	if err := os.WriteFile("ansible.json", out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// askAnsible asks for one pattern. The order of Python's sets follows from the seed.
func askAnsible(t *testing.T, seed, pattern, limit string) []string {
	t.Helper()
	args := []string{"-i", "hosts", "--list-hosts"}
	if limit != "" {
		args = append(args, "--limit", limit)
	}
	cmd := exec.Command("ansible", append(args, "--", pattern)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "ANSIBLE_CONFIG="+os.DevNull+".cfg", "ANSIBLE_LOCALHOST_WARNING=false", "PYTHONHASHSEED="+seed)
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	var out []string
	for row := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(row, "    "); ok {
			out = append(out, strings.TrimSpace(name))
		}
	}
	return out
}
