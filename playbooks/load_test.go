package playbooks

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sys/unix"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func loadDir(path string, o Options) (*Site, hcl.Diagnostics) {
	o.Registry, o.Environ = testModules(), []string{}
	return Load(path, o)
}

func TestLoadRefusesWhatIsNoText(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("latin1.hcl"), "# gr\xfc\xdfe\n")
	write(t, at("binary.hcl"), "a = 1\x00\n")
	for _, l := range [][2]string{{"loop2.hcl", "loop1.hcl"}, {"loop1.hcl", "loop2.hcl"}} {
		if err := os.Symlink(at(l[0]), at(l[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(at("pipe.hcl"), 0o600); err != nil {
		t.Fatal(err)
	}
	huge, err := os.Create(at("huge.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	defer huge.Close()
	if err := huge.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"latin1.hcl": "not UTF-8", "binary.hcl": "control character", "loop1.hcl": "too many levels of symbolic links",
		"pipe.hcl": "not a regular file", "huge.hcl": "too many", "hugee.hcl": `Did you mean`, "no/such.hcl": "There is no file",
	} {
		s, diags := loadDir(at(name), Options{})
		if s == nil || !strings.Contains(fmt.Sprint(diags), want) {
			t.Errorf("%s: %v", name, diags)
		}
	}
	// All at once, too, in a directory.
	if _, diags := loadDir(dir, Options{}); len(diags) < 6 {
		t.Errorf("directory: %v", diags)
	}
	if _, diags := loadDir(t.TempDir(), Options{}); !strings.Contains(fmt.Sprint(diags), "no *.hcl file") {
		t.Errorf("empty directory: %v", diags)
	}
}

func TestLoadTakesALargeFile(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	for i := 0; b.Len() < 10<<20; i++ {
		fmt.Fprintf(&b, "# host %d %s\n", i, strings.Repeat("x", 1000))
		if i%100 == 0 {
			fmt.Fprintf(&b, "host \"h%d\" { address = \"10.0.0.1\"  vars = { text = \"%s\" } }\n", i, strings.Repeat("é", 500))
		}
	}
	write(t, filepath.Join(dir, "site.hcl"), b.String())
	s, diags := loadDir(dir, Options{})
	if diags.HasErrors() || len(s.Inventory.Hosts) < 90 {
		t.Errorf("%d hosts, %v", len(s.Inventory.Hosts), diags)
	}
}

func TestADirectoryStartsWithSiteHCL(t *testing.T) {
	dir := t.TempDir()
	play := "play \"%s\" {\n  hosts = \"a\"\n  bridge \"x\" {}\n}\n"
	write(t, filepath.Join(dir, "a.hcl"), fmt.Sprintf(play, "a"))
	write(t, filepath.Join(dir, "site.hcl"), fmt.Sprintf(play, "site"))
	write(t, filepath.Join(dir, "b.hcl"), "host \"a\" {}\n")
	write(t, filepath.Join(dir, ".hidden.hcl"), "not read")
	write(t, filepath.Join(dir, "sub", "c.hcl"), "not read")
	write(t, filepath.Join(dir, "d.hcl.bak"), "not read")
	s, diags := loadDir(dir, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if p := s.Plays(); len(p) != 2 || p[0].Name != "site" || p[1].Name != "a" {
		t.Errorf("plays %v", p)
	}
}

func TestAnInventoryAlone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "hosts.hcl"), "variable \"ip\" { default = \"10.0.0.1\" }\nhost \"a\" { address = var.ip }\n")
	s, diags := loadDir("", Options{Inventory: []string{filepath.Join(dir, "hosts.hcl"), "b,"}, Vars: []string{"ip=10.0.0.2"}})
	if diags.HasErrors() || len(s.Inventory.Hosts) != 2 || s.Inventory.Host("a").Address != "10.0.0.2" {
		t.Errorf("%v %v", s.Inventory.Hosts, diags)
	}
}

func TestVariableFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(n string) string { return filepath.Join(dir, n) }
	write(t, at("site.hcl"), "variable \"a\" {}\nvariable \"b\" { type = list(number) }\nvariable \"c\" {}\nvariable \"d\" {}\nlocals { sum = \"${var.a} ${var.b[1]} ${var.c} ${var.d}\" }\nhost \"h\" { address = local.sum }\n")
	write(t, at("v.json"), `{"a": "json", "b": [1, 2], "d": "json"}`)
	write(t, at("v.yaml"), "c: yaml\nd: yaml\n")
	write(t, at("v.hcl"), "d = \"hcl\"\n")
	s, diags := loadDir(at("site.hcl"), Options{Vars: []string{"@" + at("v.json"), "@" + at("v.yaml"), "@" + at("v.hcl"), `a="two words"`}})
	if diags.HasErrors() || s.Inventory.Host("h").Address != "two words 2 yaml hcl" {
		t.Errorf("%v %v", s.Inventory.Host("h"), diags)
	}
	write(t, at("bad.json"), `[1]`)
	write(t, at("bad.yaml"), "- 1\n")
	write(t, at("bad.hcl"), "x = y\nz {}\n")
	if _, diags := loadDir(at("site.hcl"), Options{Vars: []string{"@" + at("bad.json"), "@" + at("bad.yaml"), "@" + at("bad.hcl"), "word", "{x"}}); len(diags) < 6 {
		t.Errorf("faults: %v", diags)
	}
}

func TestLargeContentGoesByItsHash(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("0123456789abcdef"), maxInline/16+1)
	write(t, filepath.Join(dir, "big"), string(big))
	write(t, filepath.Join(dir, "files", "binary"), "\xff\xfe")
	write(t, filepath.Join(dir, "big.tpl"), "${host.name}"+string(big))
	write(t, filepath.Join(dir, "site.hcl"), "host \"a\" {}\nplay \"p\" {\n  hosts = \"a\"\n  copy \"/1\" { src = \"big\" }\n  copy \"/2\" { src = \"binary\" }\n  template \"/3\" { src = \"big.tpl\" }\n}\n")
	s, diags := loadDir(dir, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	p := s.Plays()[0]
	hosts, _ := p.Hosts("")
	steps, _, diags := p.Start(hosts[0], Env{}).Next()
	if diags.HasErrors() || len(steps) != 3 {
		t.Fatal(steps, diags)
	}
	for i, want := range []string{string(big), "\xff\xfe", "a" + string(big)} {
		st := steps[i]
		if len(st.Files) != 1 || strings.Contains(string(st.Call.Params), "content") || !strings.Contains(string(st.Call.Params), st.Files[0].SHA256) {
			t.Errorf("%s: %s %v", st.Name, st.Call.Params, st.Files)
			continue
		}
		r, err := st.Files[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(r); err != nil || got.String() != want || st.Files[0].Size != int64(len(want)) {
			t.Errorf("%s: %d bytes, %v", st.Name, got.Len(), err)
		}
		r.Close()
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(scaled(3, 4)))
	f.Add([]byte(registers))
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			if _, site, ok := bytes.Cut(b, []byte("-- site.hcl --\n")); ok {
				text, _, _ := bytes.Cut(site, []byte("\n-- "))
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, diags := LoadSources("/nonexistent", []Source{{"site.hcl", text}}, Options{Registry: testModules(), Environ: []string{}})
		if !diags.HasErrors() {
			diags = append(diags, s.Validate("")...)
		}
		var b bytes.Buffer
		if err := hcl.NewDiagnosticTextWriter(&b, s.Files(), 80, false).WriteDiagnostics(diags); err != nil {
			t.Error(err)
		}
	})
}
