package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// withDocs is the package whose manual labctl shows and no agent needs: 65 kB of it, a seventieth of what goes over the wire.
const withDocs = "labctl/modules"

// docTag is what a struct's tag says of an argument. Like the fields Doc and Example it stays, for a module without is refused,
// but says nothing.
var docTag = regexp.MustCompile(`\bdoc:"(?:[^"\\]|\\.)*"`)

// withoutDocs writes the sources of withDocs without their manual to dir, and there what go build -overlay takes. Lines keep
// their numbers.
func withoutDocs(dir string) (overlay string, err error) {
	cmd := exec.Command("go", "list", "-f", `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`, withDocs)
	cmd.Stderr = os.Stderr
	files, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("list sources: %w", err)
	}
	replace := map[string]string{}
	for _, path := range strings.Fields(string(files)) {
		source, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if source, err = stripDocs(source); err != nil {
			return "", err
		}
		replace[path] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(replace[path], source, 0o600); err != nil {
			return "", err
		}
	}
	overlay = filepath.Join(dir, "overlay.json")
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, content, 0o600)
}

// stripDocs cuts short the fields Doc and Example of composite literals and the doc tags of structs.
func stripDocs(source []byte) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	done := 0
	put := func(lit *ast.BasicLit, text string) {
		from, to := fset.Position(lit.Pos()).Offset, fset.Position(lit.End()).Offset
		out.Write(source[done:from])
		out.WriteString(strings.Repeat("\n", strings.Count(lit.Value, "\n")) + text)
		done = to
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			key, _ := n.Key.(*ast.Ident)
			if lit, ok := n.Value.(*ast.BasicLit); ok && key != nil && (key.Name == "Doc" || key.Name == "Example") {
				put(lit, `"-"`)
			}
		case *ast.Field:
			if n.Tag != nil {
				put(n.Tag, docTag.ReplaceAllString(n.Tag.Value, `doc:"-"`))
			}
		}
		return true
	})
	out.Write(source[done:])
	return out.Bytes(), nil
}
