package playbooks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"labctl/modules"
)

const guide = "../docs/language.md"

// The examples of the guide together are a valid site, against the real modules. What is not a top-level block stands for
// the tasks of a play.
func TestTheGuideIsValid(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "files", "motd"), "hello\n")
	write(t, filepath.Join(dir, "templates", "hosts.tpl"), fenced(string(text), "")[0])
	write(t, filepath.Join(dir, "tasks", "firewall.hcl"), "debug \"${length(ports)}\" {}\n")
	write(t, filepath.Join(dir, "tasks", "users.hcl"), "debug \"${each.value}\" {}\n")
	write(t, filepath.Join(dir, "tasks", "motd.hcl"), "debug \"${each.value}\" {}\n")
	write(t, filepath.Join(dir, "plays", "network.hcl"), "play \"network\" {\n  hosts = \"vteps\"\n  debug \"${mtu}\" {}\n}\n")
	var sources []Source
	for i, block := range fenced(string(text), "hcl") {
		if word := regexp.MustCompile(`^\w+`).FindString(block); !slices.Contains([]string{"host", "ssh", "tunnel", "variable", "play", "handler", "role", "import"}, word) {
			block = "play \"example\" {\n  hosts = \"vteps\"\n" + block + "}\n"
		}
		sources = append(sources, Source{filepath.Join(dir, "block"+string(rune('a'+i))+".hcl"), []byte(block)})
	}
	s, diags := LoadSources(dir, sources, Options{Registry: modules.Default, Environ: []string{}})
	if !diags.HasErrors() {
		diags = append(diags, s.Validate("")...)
	}
	if len(diags) > 0 {
		t.Error(render(t, s, diags))
	}
	if len(sources) < 10 || len(s.Plays()) < 5 {
		t.Errorf("%d examples, %d plays", len(sources), len(s.Plays()))
	}
}

// fenced returns the fenced blocks of a language.
func fenced(text, language string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		if m[1] == language {
			out = append(out, m[2])
		}
	}
	return out
}

// The guide names every function and every argument of the language, and none besides.
func TestTheGuideIsComplete(t *testing.T) {
	b, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, name := range slices.Concat(metaArguments, playArguments, hostAttributes, scopeRoots) {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not in %s", name, guide)
		}
	}
	_, table, _ := strings.Cut(text, "| for | functions |")
	table, _, _ = strings.Cut(table, "\n## ")
	var got []string
	for _, m := range regexp.MustCompile("`([a-z0-9]+)(?:\\([^`]*)?`").FindAllStringSubmatch(table, -1) {
		if m[1] != "24" {
			got = append(got, m[1])
		}
	}
	sort.Strings(got)
	want := sortedKeys(site(t, "").scope.Functions)
	if !slices.Equal(got, want) {
		t.Errorf("functions in the guide\n%v\nthere are\n%v", got, want)
	}
}

// Each argument of the language is used by one of the sessions that try labctl.
func TestEachArgumentHasAScript(t *testing.T) {
	files, err := filepath.Glob("../cmd/labctl/testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts: ", err)
	}
	var scripts []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, text...)
	}
	names := slices.Concat(metaArguments, playArguments, blockArguments, includeArguments, useArguments, importArguments)
	for _, a := range append(variableSchema.Attributes, validationSchema.Attributes...) {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !regexp.MustCompile(`(?m)(^|[ {])` + name + `\s+= `).Match(scripts) {
			t.Errorf("no cmd/labctl/testdata/script/*.txtar uses the argument %s: show in one what it does", name)
		}
	}
}
