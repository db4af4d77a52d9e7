package playbooks

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"

	"labctl/inventory"
	"labctl/playbooks/syntax"
)

// role is what a role declares, for one place that uses it.
type role struct {
	name      string // that it is shown under
	inputs    []*variable
	args      map[string]hcl.Expression // of the use: what is given
	locals    []definition
	outputs   []output
	handlers  []*Handler
	registers map[string]bool
	functions map[string]function.Function // with file names that start at its directory
}

// output is a value that a role gives to what uses it.
type output struct {
	name      string
	expr      hcl.Expression
	sensitive bool
}

// roleSource is a role as it is written.
type roleSource struct {
	name   string
	id     string // that no other role has
	dir    string // "": it is declared in a file of the site
	blocks []*hclsyntax.Block
}

// roleBlocks are what a role declares beside its tasks.
var roleBlocks = []string{"variable", "locals", "output", "handler"}

// roleDeclared reads the roles that files of the site declare.
func (s *Site) roleDeclared(blocks []*hclsyntax.Block) {
	s.roles = map[string]*hclsyntax.Block{}
	for _, b := range blocks {
		name := b.Labels[0]
		if s.file(b.DefRange()).IsTemplate(name) || !hclsyntax.ValidIdentifier(name) {
			s.diags.add(fault(b.LabelRanges[0], "Wrong name", "A role is named by a word: letters, digits, _ and -, the first a letter."))
			continue
		}
		if old := s.roles[name]; old != nil {
			s.diags.add(fault(b.DefRange(), "Duplicate role", "A role %q was declared already at %s.", name, old.DefRange()))
			continue
		}
		s.roleAttributes(b.Body)
		hoister{"groups"}.hoist(reflect.ValueOf(b.Body)) // it may be used in any play
		s.roles[name] = b
	}
}

// roleAttributes refuses arguments that stand in no block of a role.
func (s *Site) roleAttributes(body *hclsyntax.Body) {
	for _, a := range sortedAttributes(body.Attributes) {
		s.diags.add(fault(a.NameRange, "Argument outside of a block", "A role is made of blocks: variable, locals, output, handler, and tasks. What is given to it is declared by variable %q { }.", a.Name))
	}
}

// findRole reads the role that a use names: one that the site declares, or that of a directory. nil: there is none, which was
// told.
func (c *compiler) findRole(b *hclsyntax.Block) *roleSource {
	if len(b.Labels) != 1 || c.site.file(b.DefRange()).IsTemplate(b.Labels[0]) {
		c.fault(b.DefRange(), "Wrong use", "It is labelled with the role, by its fixed name: use \"NAME\" { }.")
		return nil
	}
	name := b.Labels[0]
	from := filepath.Dir(b.DefRange().Filename)
	if a := b.Body.Attributes["source"]; a != nil {
		dir := c.site.constString(a)
		if dir == "" {
			return nil
		}
		if !filepath.IsAbs(dir) && !strings.HasPrefix(dir, "~/") {
			dir = filepath.Join(from, dir)
		} else {
			dir = c.site.path(dir)
		}
		if !isDir(dir) {
			c.fault(a.Expr.Range(), "Unknown role", "There is no directory %s.%s", dir, neighbours(dir))
			return nil
		}
		return c.site.roleIn(name, dir)
	}
	if in := c.site.roles[name]; in != nil {
		return &roleSource{name: name, id: "role " + name, blocks: in.Body.Blocks}
	}
	if !hclsyntax.ValidIdentifier(name) {
		c.fault(b.LabelRanges[0], "Wrong name", "A role is named by a word. Where it lies is another argument: use \"%s\" { source = %q }.", filepath.Base(name), name)
		return nil
	}
	places := []string{filepath.Join(from, "roles", name), filepath.Join(c.site.Dir, "roles", name)}
	if c.roleDir != "" {
		places = slices.Insert(places, 1, filepath.Join(filepath.Dir(c.roleDir), name))
	}
	for _, dir := range places {
		if isDir(dir) {
			return c.site.roleIn(name, dir)
		}
	}
	c.fault(b.LabelRanges[0], "Unknown role", "There is no role %q: neither role %q { } nor a directory %s.%s", name, name, strings.Join(slices.Compact(places), " or "), c.otherRole(name, places))
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// otherRole suggests a role that is there.
func (c *compiler) otherRole(name string, places []string) string {
	known := sortedKeys(c.site.roles)
	for _, p := range places {
		entries, _ := os.ReadDir(filepath.Dir(p))
		for _, e := range entries {
			known = append(known, e.Name())
		}
	}
	if s := inventory.Suggest(name, known); s != "" {
		return " Did you mean \"" + s + "\"?"
	}
	return ""
}

// roleIn reads the files of a role: main.hcl first, and the others by name. Each use has a tree of its own, for its expressions
// are kept for a play.
func (s *Site) roleIn(name, dir string) *roleSource {
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.diags.fileFault(dir, err)
		return nil
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".hcl") && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	sort.SliceStable(files, func(i, j int) bool {
		return filepath.Base(files[i]) == "main.hcl" && filepath.Base(files[j]) != "main.hcl"
	})
	if len(files) == 0 {
		s.diags.add(fault(nowhere, "Empty role", "The directory %s of the role %q holds no *.hcl file.", dir, name))
		return nil
	}
	src := &roleSource{name: name, id: filepath.Clean(dir), dir: dir}
	for _, f := range files {
		body := s.tasksOf(f)
		if body == nil {
			return nil
		}
		s.roleAttributes(body)
		src.blocks = append(src.blocks, body.Blocks...)
	}
	return src
}

// tasksOf reads a file of a role, or of tasks; nil if it cannot be read, which was told.
func (s *Site) tasksOf(name string) *hclsyntax.Body {
	sources := s.diags.read([]string{name})
	if len(sources) == 0 {
		return nil
	}
	f, diags := syntax.Parse(name, sources[0].Text)
	s.files[name] = f
	s.diags.add(diags...)
	if diags.HasErrors() {
		return nil
	}
	body := f.Body.(*hclsyntax.Body)
	hoister{"groups", "hosts"}.hoist(reflect.ValueOf(body))
	return body
}

// declares reads what a role declares, and returns its tasks and its handlers.
func (c *compiler) declares(src *roleSource) (tasks, handlers []*hclsyntax.Block) {
	var variables, locals, outputs []*hclsyntax.Block
	for _, b := range src.blocks {
		switch b.Type {
		case "variable":
			variables = append(variables, b)
		case "locals":
			locals = append(locals, b)
		case "output":
			outputs = append(outputs, b)
		case "handler":
			handlers = append(handlers, b)
		default:
			tasks = append(tasks, b)
		}
	}
	r := c.role
	for _, b := range variables {
		c.input(b)
	}
	r.locals = c.roleLocals(locals)
	r.handlers = c.site.handlerBlocks(handlers)
	for _, b := range outputs {
		c.output(b)
	}
	return tasks, handlers
}

// input reads a variable of the role.
func (c *compiler) input(b *hclsyntax.Block) {
	h := b.AsHCLBlock()
	if len(b.Labels) != 1 || !c.site.plainLabels(h) {
		c.fault(b.DefRange(), "Wrong variable", "A variable has one name: variable \"port\" { }.")
		return
	}
	v := c.site.variable(h)
	switch {
	case c.scope.vars[v.name]:
		c.fault(v.rng, "Duplicate variable", "The role %q declares a variable %q twice.", c.role.name, v.name)
		return
	case slices.Contains(useArguments, v.name):
		c.fault(b.LabelRanges[0], "Wrong name", "A variable of a role cannot be called %q: use has an argument of that name.", v.name)
	case !hclsyntax.ValidIdentifier(v.name):
		c.fault(b.LabelRanges[0], "Wrong name", "A variable is named by a letter followed by letters, digits, _ or -.")
	}
	for _, check := range v.checks {
		_, diags := check.Body.Content(validationSchema)
		c.site.diags.add(diags...)
	}
	c.scope.vars[v.name] = true
	c.role.inputs = append(c.role.inputs, v)
}

// output reads a value that the role gives; what it refers to is checked when all its tasks are known.
func (c *compiler) output(b *hclsyntax.Block) {
	if len(b.Labels) != 1 {
		c.fault(b.DefRange(), "Wrong output", "An output has one name: output \"url\" { value = ... }.")
		return
	}
	o := output{name: b.Labels[0]}
	for _, a := range sortedAttributes(b.Body.Attributes) {
		switch a.Name {
		case "value":
			o.expr = a.Expr
		case "sensitive":
			o.sensitive = c.site.constBool(a)
		case "description":
		default:
			c.fault(a.NameRange, "Unsupported argument", "An output has no argument %q.%s", a.Name, inventory.DidYouMean(a.Name, []string{"value", "sensitive", "description"}))
		}
	}
	switch {
	case slices.Contains(roleResults, o.name):
		c.fault(b.LabelRanges[0], "Wrong name", "The result of every role has a %q already.", o.name)
	case slices.ContainsFunc(c.role.outputs, func(p output) bool { return p.name == o.name }):
		c.fault(b.DefRange(), "Duplicate output", "The role %q has an output %q already.", c.role.name, o.name)
	case o.expr == nil:
		c.fault(b.DefRange(), "Missing value", "An output says what it gives: output %q { value = ... }.", o.name)
	default:
		c.role.outputs = append(c.role.outputs, o)
	}
}

// roleLocals reads the locals of the role, in the order in which they can be evaluated.
func (c *compiler) roleLocals(blocks []*hclsyntax.Block) []definition {
	var list hcl.Blocks
	for _, b := range blocks {
		list = append(list, b.AsHCLBlock())
	}
	defs := c.site.localBlocks(list)
	for name := range defs {
		c.scope.locals[name] = true
	}
	sorted, diags := order(defs, "locals", func(t hcl.Traversal) string { return attributeOf(t, "local") })
	c.site.diags.add(diags...)
	return sorted
}
