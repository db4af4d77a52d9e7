package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestBuildsElsewhere checks the types of what a laptop needs, for the systems that one may run. Compiling it, with all that it
// imports, would take a minute and find no more.
func TestBuildsElsewhere(t *testing.T) {
	for _, goos := range []string{"darwin"} {
		env := []string{"GOOS=" + goos, "GOARCH=arm64", "CGO_ENABLED=0"}
		c := checker{t: t, files: token.NewFileSet(), known: map[string]*types.Package{"unsafe": types.Unsafe}}
		for _, p := range list(t, env, "-deps", "./modules/...", "./transport/...", "./inventory/...", "./playbooks/...", "./runner/...", "./cmd/labctl/...") {
			c.check(p)
		}
	}
}

// checker checks packages, each after those that it imports.
type checker struct {
	t     *testing.T
	files *token.FileSet
	known map[string]*types.Package
	names map[string]string // of the package being checked: import path by what is written, where that differs
}

// Import is types.Importer.
func (c *checker) Import(path string) (*types.Package, error) {
	if full := c.names[path]; full != "" {
		path = full
	}
	return c.known[path], nil
}

// check reads a package: those of others as far as their declarations go.
func (c *checker) check(p pkg) {
	if p.ImportPath == "unsafe" {
		return
	}
	ours := within(p.ImportPath, "labctl")
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		files = append(files, f)
	}
	c.names = p.ImportMap
	config := types.Config{
		Importer: c, Sizes: types.SizesFor("gc", "arm64"), IgnoreFuncBodies: !ours, FakeImportC: true,
		Error: func(err error) {
			if ours {
				c.t.Error(strings.TrimPrefix(err.Error(), root()+"/"))
			}
		},
	}
	if ours {
		config.GoVersion = strings.SplitN(runtime.Version(), " ", 2)[0]
	}
	c.known[p.ImportPath], _ = config.Check(p.ImportPath, c.files, files, nil)
}
