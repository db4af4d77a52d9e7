package policy

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goFiles calls f with every Go file of the repository, its path relative to the top.
func goFiles(t *testing.T, f func(path string, src []byte)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root()), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		src, err := os.ReadFile(filepath.Join(root(), path))
		if err == nil {
			f(path, src)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFormatted(t *testing.T) {
	goFiles(t, func(path string, src []byte) {
		if want, err := format.Source(src); err != nil || !bytes.Equal(src, want) {
			t.Errorf("%s is not as gofmt writes it (%v)", path, err)
		}
	})
}

// TestPackageComments wants one comment per package: none leaves the reader alone, two contradict each other sooner or
// later. Only the files of this system are looked at together, so a comment belongs into a file without build tags.
func TestPackageComments(t *testing.T) {
	for _, p := range list(t, nil, "./...") {
		var has []string
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil {
				has = append(has, name)
			}
		}
		if len(has) != 1 {
			t.Errorf("%s has %d package comments %q, want one: what it is for, and what it may not know", p.ImportPath, len(has), has)
		}
	}
}

// TestSkips: a test that skips where it should have run is a test that nobody has. So whatever skips has to ask for
// LABCTL_TEST_KERNEL in the same function, and fail if it is 1.
func TestSkips(t *testing.T) {
	goFiles(t, func(path string, src []byte) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			at := skipIn(fn)
			body := src[fset.Position(fn.Pos()).Offset:fset.Position(fn.End()).Offset]
			if at.IsValid() && !bytes.Contains(body, []byte("LABCTL_TEST_KERNEL")) {
				t.Errorf("%s skips without asking for LABCTL_TEST_KERNEL, so nobody would notice", fset.Position(at))
			}
		}
	})
}

// skipIn finds the first call of a Skip method without regard to whose it is; property checks discard cases by that
// name too, but on a *rapid.T, which is called rt throughout.
func skipIn(fn *ast.FuncDecl) (at token.Pos) {
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Skip" && sel.Sel.Name != "Skipf" && sel.Sel.Name != "SkipNow" {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name != "rt" && !at.IsValid() {
			at = call.Pos()
		}
		return true
	})
	return at
}
