package policy

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNoReplace: "go install labctl/cmd/labctl@latest" refuses a module that replaces others.
func TestNoReplace(t *testing.T) {
	var mod struct {
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(run(t, nil, "go", "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s: then nobody can install labctl with go install", r.Old.Path)
	}
}

func TestLicence(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(), "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Apache License", "Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("LICENSE lacks %q: it has to be the whole text of Apache-2.0", want)
		}
	}
}

// link is an inline Markdown link or image; what is in backquotes is taken away before.
var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced    = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	slugDrops = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
)

// TestLinks follows every link inside the repository; the world outside is not this test's to check.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		text := withoutCode(read(t, page))
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := filepath.Join(root(), filepath.Dir(page), target)
			if target == "" {
				file = filepath.Join(root(), page)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
				continue
			}
			if anchor != "" && filepath.Ext(file) == ".md" && !anchors(t, file)[anchor] {
				t.Errorf("%s links to %s, and there is no such heading", page, m[1])
			}
		}
	}
}

// pages lists the Markdown files, relative to the top.
func pages(t *testing.T) (found []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root()), ".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func withoutCode(text string) string {
	return codeSpan.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
}

// anchors are the headings of a page as GitHub and GitLab name them.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(string(b), ""), -1) {
		slug := slugDrops.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return found
}
