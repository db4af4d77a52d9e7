package playbooks

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"labctl/inventory"
)

// playArguments are the arguments of a play block; every block in it that is not a handler is a task.
var playArguments = append([]string{"hosts", "become", "vars", "tags", "force_handlers", "serial", "max_fail_percentage", "order", "strategy", "any_errors_fatal"}, becomeArguments...)

// Play is a list of tasks for the hosts that a pattern names.
type Play struct {
	Name  string
	Range hcl.Range

	program
	site       *Site
	pattern    string
	hostsRange hcl.Range
	become     becoming
	vars       []definition
	when       []hcl.Expression // of imports
	dynamic    bool             // a variable depends on facts or results
	registers  map[string]bool  // what tasks register

	delegates     bool   // tasks run on other hosts
	linear        bool   // hosts wait for each other before each task
	fatal         bool   // a failure of one host is one of all
	order         string // one of hostOrders, or ""
	serial        []batch
	failShare     *float64 // of a hundred hosts of a batch; nil: all but one
	forceHandlers bool     // handlers that were notified run on a host that has failed, too
	tags          []string
	handlers      []*Handler
	roleHandlers  []*Handler // of the roles in it
	calls         []*call    // of roles and files
	once          *onceHosts
	later         bool // plays before it add to the inventory
}

// Handler is a list of tasks that run, once and after all others, when a task that changed something notifies it.
type Handler struct {
	Name   string
	Listen []string // other names by which tasks notify it, maybe several handlers by one
	Range  hcl.Range

	program
	block *hclsyntax.Block
}

// Tasks returns the tasks of the play, handlers left out, in order.
func (p *Play) Tasks() []*Task { return p.tasks }

// Size is how many tasks are written in the play, and in the handlers, roles and files that it takes in.
func (p *Play) Size() (n int) {
	for _, tasks := range p.lists() {
		n += len(tasks)
	}
	return n
}

func (s *Site) loadPlays(byType map[string]hcl.Blocks) {
	s.bare = s.bareNames()
	s.facts = map[string]bool{}
	s.roleDeclared(syntaxBlocks(byType["role"]))
	s.handlers = s.handlerBlocks(syntaxBlocks(byType["handler"]))
	for _, b := range byType["play"] {
		if p := s.play(b); p != nil {
			s.plays = append(s.plays, p)
		}
	}
	s.number()
	if len(byType["play"]) == 0 { // faults of handlers that no play takes in show all the same
		p := &Play{site: s, once: &onceHosts{}}
		s.compileHandlers(p, s.handlers, nil)
	}
}

// syntaxBlocks turns blocks that were parsed from the native syntax, the only one there is, into its types.
func syntaxBlocks(blocks hcl.Blocks) []*hclsyntax.Block {
	var out []*hclsyntax.Block
	for _, b := range blocks {
		out = append(out, &hclsyntax.Block{
			Type: b.Type, Labels: b.Labels, Body: b.Body.(*hclsyntax.Body), TypeRange: b.TypeRange, LabelRanges: b.LabelRanges,
		})
	}
	return out
}

func (s *Site) handlerBlocks(blocks []*hclsyntax.Block) []*Handler {
	var out []*Handler
	for _, b := range blocks {
		h := &Handler{Range: b.DefRange(), block: b}
		if len(b.Labels) != 1 || s.file(h.Range).IsTemplate(b.Labels[0]) {
			s.diags.add(fault(h.Range, "Wrong handler", "A handler has one name: handler \"restart\" { ... }."))
			continue
		}
		h.Name = b.Labels[0]
		if a := b.Body.Attributes["listen"]; a != nil {
			h.Listen = s.constStrings(a)
		}
		if i := slices.IndexFunc(out, func(o *Handler) bool { return o.Name == h.Name }); i >= 0 {
			s.diags.add(fault(h.Range, "Duplicate handler", "A handler %q was declared already at %s.", h.Name, out[i].Range))
			continue
		}
		out = append(out, h)
	}
	return out
}

func (s *Site) play(b *hcl.Block) *Play {
	if !s.plainLabels(b) {
		return nil
	}
	body := b.Body.(*hclsyntax.Body)
	shared.hoist(reflect.ValueOf(body))
	p := &Play{Name: b.Labels[0], Range: b.DefRange, site: s, once: &onceHosts{}, later: s.adds}
	s.playArgs(p, body)
	s.takeOver(p, s.imported[b])
	var tasks, handlers []*hclsyntax.Block
	for _, t := range body.Blocks {
		if t.Type == "handler" {
			handlers = append(handlers, t)
		} else {
			tasks = append(tasks, t)
		}
	}
	p.handlers = s.handlerBlocks(handlers)
	for _, h := range s.handlers {
		if !slices.ContainsFunc(p.handlers, func(own *Handler) bool { return own.Name == h.Name }) {
			p.handlers = append(p.handlers, &Handler{Name: h.Name, Listen: h.Listen, Range: h.Range, block: h.block})
		}
	}
	s.compilePlay(p, tasks)
	return p
}

func (s *Site) playArgs(p *Play, body *hclsyntax.Body) {
	for _, a := range sortedAttributes(body.Attributes) {
		if !slices.Contains(playArguments, a.Name) {
			hint := playHabit(a.Name)
			if hint == "" {
				hint = inventory.DidYouMean(a.Name, playArguments)
			}
			s.diags.add(fault(a.NameRange, "Unsupported argument", "A play has no argument %q.%s", a.Name, hint))
		}
	}
	attr := body.Attributes
	if a := attr["hosts"]; a == nil {
		s.diags.add(fault(p.Range, "Missing hosts", "A play says which hosts it is for: hosts = \"all\"."))
	} else {
		p.hostsRange = a.Expr.Range()
		p.pattern = s.patternOf(a)
	}
	p.become = s.becoming(func(name string) *hclsyntax.Attribute { return attr[name] })
	if p.become.on == nil {
		p.become.on = &s.become
	}
	if p.become.user == nil && s.becomeUser != "" {
		p.become.user = hcl.StaticExpr(cty.StringVal(s.becomeUser), p.Range)
	}
	if a := attr["tags"]; a != nil {
		p.tags = s.constStrings(a)
	}
	if a := attr["order"]; a != nil {
		p.order = s.hostOrder(a)
	}
	s.strategy(p, attr["strategy"], attr["any_errors_fatal"])
	if a := attr["serial"]; a != nil {
		p.serial = s.serial(a)
	}
	if a := attr["max_fail_percentage"]; a != nil {
		p.failShare = s.failShare(a)
	}
	p.forceHandlers = s.forced
	if a := attr["force_handlers"]; a != nil {
		p.forceHandlers = s.constBool(a)
	}
	p.vars = s.playVars(attr["vars"])
}

func (s *Site) patternOf(a *hclsyntax.Attribute) string {
	list := s.constStrings(a)
	out := ""
	for i, e := range list {
		if i > 0 {
			out += ","
		}
		if strings.HasPrefix(e, "@") && !filepath.IsAbs(e[1:]) {
			e = "@" + filepath.Join(filepath.Dir(a.SrcRange.Filename), e[1:])
		}
		out += e
	}
	return out
}

func sortedAttributes(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	out := make([]*hclsyntax.Attribute, 0, len(attrs))
	for _, a := range attrs {
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].SrcRange.Start.Byte < out[j].SrcRange.Start.Byte })
	return out
}

// constant evaluates an argument that is the same for every host.
func (s *Site) constant(a *hclsyntax.Attribute, want cty.Type) (cty.Value, bool) {
	if name := hcl.ExprAsKeyword(a.Expr); name != "" && want != cty.Bool && !slices.Contains(scopeRoots, name) {
		s.diags.add(fault(a.Expr.Range(), "Missing quotes", "Write it in quotes: %s = %q.", a.Name, name))
		return cty.NilVal, false
	}
	sc := staticScope{names: s.static, groups: true, where: "an argument that is the same for all hosts"}
	if s.fixed != nil {
		sc = *s.fixed
	}
	if diags := s.checkRefs([]hcl.Expression{a.Expr}, sc); diags.HasErrors() {
		s.diags.add(diags...)
		return cty.NilVal, false
	}
	v, diags := a.Expr.Value(s.scope)
	s.diags.add(redact(diags)...)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	v, _ = v.UnmarkDeep()
	given := v
	v, err := convert.Convert(v, want)
	if err != nil {
		s.diags.add(fault(a.Expr.Range(), "Wrong type", "The argument %q is not as it should be: %s.%s", a.Name, err, truthHint(given, want)))
		return cty.NilVal, false
	}
	return v, !v.IsNull() && v.IsWhollyKnown()
}

func (s *Site) constBool(a *hclsyntax.Attribute) bool {
	v, ok := s.constant(a, cty.Bool)
	return ok && v.True()
}

func (s *Site) constString(a *hclsyntax.Attribute) string {
	v, ok := s.constant(a, cty.String)
	if !ok {
		return ""
	}
	return v.AsString()
}

// constStrings accepts a string or a list of strings.
func (s *Site) constStrings(a *hclsyntax.Attribute) []string {
	v, ok := s.constant(a, cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	out, diags := inventory.Texts(v, a.Name, a.Expr.Range())
	s.diags.add(diags...)
	return out
}

// Hosts returns the hosts of the play, in the order of its pattern, that limit (a pattern, or "") lets through. No host at
// all is an error, unless Options.Lenient says otherwise.
func (p *Play) Hosts(limit string) ([]*inventory.Host, hcl.Diagnostics) {
	hosts, err := p.all()
	if err != nil {
		return nil, hcl.Diagnostics{fault(p.hostsRange, "No hosts", "The play %q: %s", p.Name, closed(err.Error()))}
	}
	if limit == "" {
		return hosts, nil
	}
	in, err := p.site.Match(limit)
	if err == nil && len(in) == 0 && !p.site.adds {
		err = errors.New("no host matches it")
	}
	if err != nil {
		return nil, hcl.Diagnostics{fault(nowhere, "No hosts", "The limit %q: %s", limit, closed(err.Error()))}
	}
	let := map[*inventory.Host]bool{}
	for _, h := range in {
		let[h] = true
	}
	var out []*inventory.Host
	for _, h := range hosts {
		if let[h] {
			out = append(out, h)
		}
	}
	return out, nil
}

// closed ends a sentence that may have its full stop already.
func closed(s string) string {
	if n := len(s); n > 0 && (s[n-1] == '.' || s[n-1] == '?') {
		return s
	}
	return s + "."
}

// Display names the play for messages.
func (p *Play) Display() string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprintf("hosts %s", p.pattern)
}
