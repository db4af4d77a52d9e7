package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/tools/txtar"
)

// Each error message that a page shows is one that labctl gives: a script, or a golden file, expects all words of it. What
// stands for a name there, \S* or .*, may be another name on the page.
func TestDocumentedMessagesAreProduced(t *testing.T) {
	t.Parallel()
	e := expectations(t)
	n := 0
	for _, page := range pages(t) {
		for _, m := range messages(string(readFile(t, page))) {
			n++
			if rest := m.unexpected(e); rest != "" {
				t.Errorf("%s:%d shows a message that no test produces: %s\nNo script has %q among what it expects: have one in testdata/script show it (stderr '...'), or say on the page what labctl says.", strings.TrimPrefix(page, "../../"), m.line, m.text, rest)
			}
		}
	}
	if n < 15 {
		t.Errorf("the pages show %d messages, which is too few to be all", n)
	}
}

func pages(t *testing.T) []string {
	t.Helper()
	out := []string{"../../README.md"}
	err := filepath.WalkDir("../../docs", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// message is what a page shows of what labctl says.
type message struct {
	line int
	text string // in one line
}

var (
	fence       = regexp.MustCompile("^```(\\w*)")
	beginning   = regexp.MustCompile(`^\s*(labctl: |Error: |Warning: |\[WARNING\]: |fatal: |--- FAIL)`)
	sourceLine  = regexp.MustCompile(`^ *\d+: `) // what the user has written
	inlineCode  = regexp.MustCompile("`([^`]+)`")
	inlineWords = regexp.MustCompile(`^-{0,2}[A-Za-z][a-z]*( [A-Za-z,':]+){3,}$`)
)

// messages are the error messages of a page: in its blocks of code, from their first line to a prompt or the end of the block,
// and between backquotes in its sentences.
func messages(page string) []message {
	var out []message
	fenced, shown, open := false, false, false
	for i, line := range strings.Split(page, "\n") {
		if m := fence.FindStringSubmatch(line); m != nil {
			fenced = !fenced
			shown, open = fenced && (m[1] == "" || m[1] == "console"), false
			continue
		}
		text, indented := strings.CutPrefix(line, "    ")
		switch {
		case !fenced && !indented:
			open = open && line == ""
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				if inlineWords.MatchString(m[1]) && !strings.HasPrefix(m[1], "labctl ") {
					out = append(out, message{i + 1, m[1]})
				}
			}
		case fenced && !shown:
		case beginning.MatchString(text):
			open = true
			out = append(out, message{i + 1, strings.TrimSpace(text)})
		case strings.HasPrefix(strings.TrimSpace(text), "$ "):
			open = false
		case open && !sourceLine.MatchString(text):
			last := &out[len(out)-1]
			last.text = strings.Join(strings.Fields(last.text+" "+text), " ")
		}
	}
	return out
}

// evidence is what tests expect of what labctl prints.
type evidence struct {
	patterns []*regexp.Regexp
	texts    []string
	seen     map[string]bool
}

// unexpected is what is left of a message without the words that some expectation covers.
func (m message) unexpected(e *evidence) string {
	for _, text := range e.texts {
		if strings.Contains(text, m.text) {
			return ""
		}
	}
	covered := make([]bool, len(m.text))
	for _, p := range e.patterns {
		for _, at := range p.FindAllStringIndex(m.text, -1) {
			for i := at[0]; i < at[1]; i++ {
				covered[i] = true
			}
		}
	}
	var rest []string
	at := 0
	for _, word := range strings.SplitAfter(m.text, " ") {
		if !covered[at] && word != "labctl: " {
			rest = append(rest, strings.TrimSpace(word))
		}
		at += len(word)
	}
	return strings.Join(rest, " ")
}

// add takes a pattern in, whose blanks are any, and whose wildcards are one word: a name, a path, a number.
func (e *evidence) add(t *testing.T, pattern string) {
	whole := strings.HasPrefix(pattern, "^") && strings.HasSuffix(pattern, "$")
	if len(pattern) < 12 && !whole || e.seen[pattern] { // a word alone proves nothing
		return
	}
	e.seen[pattern] = true
	e.texts = append(e.texts, strings.ReplaceAll(pattern, `\`, ""))
	pattern = regexp.MustCompile(`(\\n|\\t| )+[+*]?`).ReplaceAllString(strings.ReplaceAll(pattern, ".*", `\S*`), ` +`)
	if !strings.HasSuffix(pattern, `\$`) {
		pattern = strings.TrimSuffix(pattern, "$")
	}
	p, err := regexp.Compile(strings.TrimPrefix(strings.TrimPrefix(pattern, "^"), " +"))
	if err != nil {
		t.Fatal(err)
	}
	e.patterns = append(e.patterns, p)
}

// expected is a line of a script that says what is printed.
var expected = regexp.MustCompile(`(?m)^(?:\[\S+\] )?(?:stdout|stderr|grep) (?:-count=\d+ )?'((?:[^']|'')+)'`)

// expectations are what the scripts expect, the lines of golden files, and the texts in tests.
func expectations(t *testing.T) *evidence {
	t.Helper()
	e := &evidence{seen: map[string]bool{}}
	for _, glob := range []string{"testdata/script/*.txtar", "../../playbooks/testdata/*.txtar"} {
		for _, file := range globbed(t, glob) {
			archive := txtar.Parse(readFile(t, file))
			for _, m := range expected.FindAllStringSubmatch(string(archive.Comment), -1) {
				e.add(t, strings.ReplaceAll(m[1], "''", "'"))
			}
			for _, f := range archive.Files {
				if ext := filepath.Ext(f.Name); ext == ".hcl" || ext == ".sh" {
					continue
				}
				for line := range strings.Lines(string(f.Data)) {
					e.add(t, regexp.QuoteMeta(strings.TrimSpace(line)))
				}
			}
		}
	}
	for _, glob := range []string{"../../transport/*_test.go", "../../runner/*_test.go", "internal/planfile/*_test.go"} {
		for _, file := range globbed(t, glob) { // of what no script can set up: servers that refuse, hosts that move meanwhile
			for _, text := range texts(t, file) {
				e.add(t, regexp.QuoteMeta(text))
			}
		}
	}
	return e
}

// texts are the literals of a Go file.
func texts(t *testing.T, file string) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, _ := strconv.Unquote(lit.Value); utf8.ValidString(text) {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}

func globbed(t *testing.T, glob string) []string {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatal("no files ", glob, err)
	}
	return files
}
