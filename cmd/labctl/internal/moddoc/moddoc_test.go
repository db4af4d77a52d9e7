package moddoc_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/cmd/labctl/internal/moddoc"
	"labctl/modules"
)

var update = flag.Bool("update", false, "rewrite docs/modules and the table of the README")

const root = "../../../.."

func TestPagesAreUpToDate(t *testing.T) {
	for _, name := range modules.Default.Names() {
		m, err := modules.Default.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		check(t, filepath.Join(root, "docs/modules", name+".md"), moddoc.Page(m))
	}
	files, err := filepath.Glob(filepath.Join(root, "docs/modules/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".md"); modules.Default[name] == nil {
			t.Errorf("%s describes a module that does not exist", f)
		}
	}
}

func TestReadmeTableIsUpToDate(t *testing.T) {
	const begin, end = "<!-- modules: generated -->\n", "<!-- /modules -->"
	path := filepath.Join(root, "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md lacks the marks %q and %q", begin, end)
	}
	check(t, path, head+begin+moddoc.Table(modules.Default)+end+tail)
}

func TestEveryModuleHasAnExample(t *testing.T) {
	for name, m := range modules.Default {
		if strings.TrimSpace(m.Example()) == "" {
			t.Errorf("module %s has no example: its page is where users begin", name)
		}
	}
}

func check(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the schemas say (%v): go test ./cmd/labctl/internal/moddoc -update", path, err)
	}
}
