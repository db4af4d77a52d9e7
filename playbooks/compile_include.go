package playbooks

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

var includeArguments = append([]string{"for_each", "vars"}, blockArguments...)

// include compiles the tasks of a file for one place that they stand in.
func (c *compiler) include(p *program, b *hclsyntax.Block) {
	if len(b.Labels) != 1 {
		c.fault(b.DefRange(), "Wrong include", "It is labelled with the file: include \"FILE.hcl\" { }.")
		return
	}
	c.includeArguments(b)
	f := c.site.file(b.DefRange())
	k := &call{name: f.Source(b.Labels[0]), rng: b.DefRange(), handler: c.handler != ""}
	done := c.calling(k, b)
	label := f.Label(b.Labels[0], b.LabelRanges[0])
	vars, dirs, path := c.vars, c.dirs, c.path
	if f.IsTemplate(b.Labels[0]) {
		c.refs(label)
	}
	k.vars = c.fileVars(b.Body.Attributes["vars"])
	c.dirs = append(slices.Clone(dirs), filepath.Dir(b.DefRange().Filename))
	if f.IsTemplate(b.Labels[0]) {
		k.file, k.files = label, map[string]*program{}
		c.waits(&k.deps, []hcl.Expression{label})
		c.alternatives(k, b)
	} else if k.program = c.fileProgram(b.Labels[0], b); k.program == nil {
		k.program = &program{}
	} else {
		k.tasks = k.program.tasks
	}
	var d deps
	for _, v := range k.vars {
		c.waits(&d, []hcl.Expression{v.expr})
	}
	k.late = d.any()
	c.vars, c.dirs, c.path = vars, dirs, path
	done()
	p.items = append(p.items, item{call: k})
	p.tasks = append(p.tasks, k.tasks...)
}

func (c *compiler) includeArguments(b *hclsyntax.Block) {
	for _, a := range sortedAttributes(b.Body.Attributes) {
		if slices.Contains(includeArguments, a.Name) {
			continue
		}
		hint := inventory.DidYouMean(a.Name, includeArguments)
		switch a.Name {
		case "register":
			hint = " What its tasks register is known behind it."
		case "name":
			hint = " Its tasks have."
		}
		c.fault(a.NameRange, "Unsupported argument", "An include has no argument %q.%s", a.Name, hint)
	}
	for _, k := range b.Body.Blocks {
		c.fault(k.TypeRange, "Unsupported block", "The tasks of an include stand in the file that it names.")
	}
}

// fileVars reads the variables of a file of tasks, and makes them known.
func (c *compiler) fileVars(a *hclsyntax.Attribute) []definition {
	if a == nil {
		return nil
	}
	defs := c.site.playVars(a)
	var names []string
	for _, d := range defs {
		names = append(names, d.name)
	}
	c.scope = c.scope.with(names...)
	for _, d := range defs {
		c.refs(d.expr)
	}
	c.vars = append(slices.Clone(defs), c.vars...)
	return defs
}

// fileProgram reads and compiles a file of tasks; nil: there is none, which was told.
func (c *compiler) fileProgram(name string, b *hclsyntax.Block) *program {
	at := c.findFile(name, b)
	if at == "" || c.loops(at, "File in itself", b.DefRange()) {
		return nil
	}
	body := c.site.tasksOf(at)
	if body == nil {
		return nil
	}
	for _, a := range sortedAttributes(body.Attributes) {
		c.fault(a.NameRange, "Argument outside of a block", "A file of tasks holds tasks. Variables for it are given by the include: vars = { %s = ... }.", a.Name)
	}
	path, included := c.path, c.included
	c.path, c.included = append(slices.Clone(path), at), true
	p := &program{}
	c.list(p, body.Blocks)
	c.path, c.included = path, included
	return p
}

// findFile looks for a file of tasks: beside the file that names it, and in the directory tasks there, and then likewise in the
// directories of the role and of the files around.
func (c *compiler) findFile(name string, b *hclsyntax.Block) string {
	var tried []string
	if filepath.IsAbs(name) || strings.HasPrefix(name, "~/") {
		tried = []string{c.site.path(name)}
	} else {
		for _, dir := range append([]string{filepath.Dir(b.DefRange().Filename)}, c.dirs...) {
			if p := filepath.Join(dir, name); !slices.Contains(tried, p) {
				tried = append(tried, p, filepath.Join(dir, "tasks", name))
			}
		}
	}
	for _, p := range tried {
		if regular(p) {
			return filepath.Clean(p)
		}
	}
	c.fault(b.LabelRanges[0], "No such file", "There is no file %s.%s Looked for %s.", tried[0], neighbours(tried[0]), strings.Join(tried, ", "))
	return ""
}

// alternatives compiles the files that a name which differs from host to host, or from turn to turn, may stand for. What one of
// them registers another may register as well.
func (c *compiler) alternatives(k *call, b *hclsyntax.Block) {
	before := maps.Clone(c.scope.results)
	all := maps.Clone(before)
	for _, name := range c.fileNames(k) {
		p := c.fileProgram(name, b)
		maps.Copy(all, c.scope.results)
		maps.DeleteFunc(c.scope.results, func(n string, _ bool) bool { return !before[n] })
		if p != nil {
			k.files[name] = p
			k.tasks = append(k.tasks, p.tasks...)
		}
	}
	maps.Copy(c.scope.results, all)
}

// fileNames are the names that the label of an include has on the hosts of the play.
func (c *compiler) fileNames(k *call) []string {
	hosts, err := c.play.all()
	if err != nil || c.site.diags.diags().HasErrors() { // what it depends on may be wrong, which is told
		return nil
	}
	found := map[string]bool{}
	for _, h := range hosts {
		r := c.play.Start(h, Env{Plan: true})
		e := &evaluation{site: c.site, host: h}
		for _, sc := range r.lead(c.calls[:len(c.calls)-1]) {
			r.fileNames(k, sc, e, found)
		}
		if len(e.unknown) > 0 {
			e.fault(k.file.Range(), "File not known", "Which file it is must be known before the run: its name may depend on variables and on the inventory, not on facts or results. Conditions may: include \"FILE.hcl\" { when = ... }.")
		}
		c.site.diags.add(e.diags...)
	}
	return sortedKeys(found)
}

// lead returns the scopes that calls lead to.
func (r *HostRun) lead(calls []*call) []*scope {
	at := []*scope{r.root}
	for _, k := range calls {
		var next []*scope
		for _, sc := range at {
			turns, _ := r.turns(k, sc)
			next = append(next, turns...)
		}
		at = next
	}
	return at
}

func (r *HostRun) fileNames(k *call, sc *scope, e *evaluation, found map[string]bool) {
	r.fresh(sc)
	if sc.holds == no {
		return
	}
	list := r.loop(k.forEach, sc, e)
	for _, in := range list {
		if r.conditions(k.when, in, e) == no {
			continue
		}
		v, ok := r.meta(k.file, "file", cty.String, in, e)
		switch {
		case ok && v.IsKnown():
			found[v.AsString()] = true
		case ok:
			e.unknown = append(e.unknown, "file")
		}
	}
}
