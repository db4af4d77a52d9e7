package playbooks

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected results in testdata")

// Each testdata/*.txtar is a site and, in the file "want", what comes of it: the steps of every play and host, or the
// diagnostics. Its comment may give options, one on a line: -e, -i, --limit, --tags, --apply.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { golden(t, f) })
	}
}

func golden(t *testing.T, name string) {
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var want []byte
	kept := a.Files[:0]
	for _, f := range a.Files {
		if f.Name == "want" {
			want = f.Data
			continue
		}
		kept = append(kept, f)
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := []byte(strings.ReplaceAll(evaluate(t, dir, string(a.Comment)), dir+"/", ""))
	if bytes.Equal(got, want) {
		return
	}
	if !*update {
		t.Errorf("%s", diff.Diff("want", want, "got", got))
		return
	}
	a.Files = append(kept, txtar.File{Name: "want", Data: got})
	if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

func evaluate(t *testing.T, dir, comment string) string {
	o := Options{Registry: testModules(), Environ: []string{"HOME=/home/u", "LABCTL_VAR_from_env=env"}}
	path, limit, env := dir, "", Env{Plan: true}
	for _, line := range strings.Split(comment, "\n") {
		k, v, _ := strings.Cut(line, " ")
		v = strings.ReplaceAll(v, "$DIR", dir)
		switch k {
		case "-e":
			o.Vars = append(o.Vars, v)
		case "-i":
			o.Inventory = append(o.Inventory, v)
		case "--limit":
			limit = v
		case "--tags":
			env.Tags = strings.Split(v, ",")
		case "--skip-tags":
			env.SkipTags = strings.Split(v, ",")
		case "site":
			path = filepath.Join(dir, v)
		}
	}
	s, diags := Load(path, o)
	diags = append(diags, s.Validate(limit)...)
	if !diags.HasErrors() && len(env.Tags)+len(env.SkipTags) > 0 {
		diags = append(diags, s.CheckRun(env.Tags, env.SkipTags)...)
	}
	if diags.HasErrors() {
		return render(t, s, diags)
	}
	return render(t, s, diags) + steps(t, s, limit, env)
}

func render(t *testing.T, s *Site, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&b, s.Files(), 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// steps writes what every host would be sent when nothing is known of it.
func steps(t *testing.T, s *Site, limit string, env Env) string {
	var b strings.Builder
	for _, p := range s.Plays() {
		hosts, diags := p.Hosts(limit)
		if diags.HasErrors() {
			return render(t, s, diags)
		}
		for _, h := range hosts {
			fmt.Fprintf(&b, "%s | %s\n", p.Display(), h.Name)
			list, state, diags := p.Start(h, env).Next()
			for _, st := range list {
				fmt.Fprintf(&b, "  %s\n", describe(st))
			}
			if state == Blocked {
				b.WriteString("  blocked\n")
			}
			b.WriteString(render(t, s, diags))
		}
	}
	return b.String()
}

func describe(s Step) string {
	out := s.Name
	if s.Skip {
		return out + ": skipped"
	}
	if s.Call.Absent {
		out += " [absent]"
	}
	if as := s.Become; as.User != "" {
		words := append([]string{as.Method, as.User}, as.FlagList()...)
		out += " [" + strings.TrimSpace(strings.Join(words, " ")) + "]"
	}
	if s.Timeout != 0 {
		out += " [" + s.Timeout.String() + "]"
	}
	if len(s.Notify) > 0 {
		out += " -> " + strings.Join(s.Notify, ",")
	}
	if s.Unknown {
		out += " unknown: " + strings.Join(s.Unknowns, ",")
	}
	params := string(s.Call.Params)
	if s.Sensitive {
		params = "(sensitive) " + params
	}
	for _, f := range s.Files {
		j, _ := json.Marshal(f.SHA256[:8])
		params += fmt.Sprintf(" + %s %d bytes", j, f.Size)
	}
	return out + " " + params
}
