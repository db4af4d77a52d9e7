package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"labctl/inventory"
)

// becomeArguments say in a play, and in a task, whom to become and how.
var becomeArguments = []string{"become_user", "become_method", "become_flags", "become_password"}

// Identity is whom a step runs as, and how that is reached. The zero value is the login user. Of two steps with the same one
// agent does the work.
type Identity struct {
	User     string
	Method   string // sudo, doas or su; "": nothing says it
	Flags    string // options of the method's command, each with flagEnd behind it; "": nothing says them
	Password string // "": nothing says it
}

// Format leaves the password out, wherever a step is printed.
func (i Identity) Format(s fmt.State, _ rune) { fmt.Fprint(s, strings.TrimSpace(i.Method+" "+i.User)) }

// flagEnd tells no options from none said.
const flagEnd = "\n"

// FlagList is the options of the method's command; nil: nothing says them.
func (i Identity) FlagList() []string {
	if i.Flags == "" {
		return nil
	}
	return slices.DeleteFunc(strings.Split(i.Flags, flagEnd), func(f string) bool { return f == "" })
}

// becoming is what a play or a task says of whom to become.
type becoming struct {
	on                            *bool // nil: not said
	user, method, flags, password hcl.Expression
}

// becoming reads what a play or a task says; attr returns an argument, or nil.
func (s *Site) becoming(attr func(name string) *hclsyntax.Attribute) (b becoming) {
	expr := func(name string) hcl.Expression {
		if a := attr(name); a != nil {
			return a.Expr
		}
		return nil
	}
	b.user, b.method, b.flags, b.password = expr("become_user"), expr("become_method"), expr("become_flags"), expr("become_password")
	if a := attr("become"); a != nil {
		on := s.constBool(a)
		b.on = &on
	} else if b.user != nil { // who names the user wants to become them
		on := true
		b.on = &on
	}
	return b
}

func (b becoming) expressions() (out []hcl.Expression) {
	for _, x := range []hcl.Expression{b.user, b.method, b.flags, b.password} {
		if x != nil {
			out = append(out, x)
		}
	}
	return out
}

// over is what a task says, and where that is nothing what its play says.
func (b becoming) over(play becoming) becoming {
	if b.on == nil {
		b.on = play.on
	}
	for _, x := range []struct {
		to   *hcl.Expression
		from hcl.Expression
	}{{&b.user, play.user}, {&b.method, play.method}, {&b.flags, play.flags}, {&b.password, play.password}} {
		if *x.to == nil {
			*x.to = x.from
		}
	}
	return b
}

func (b becoming) yes() bool { return b.on != nil && *b.on }

// Become is whom the play becomes on this host when its tasks do not say otherwise. It is that user's session that brings the
// facts.
func (r *HostRun) Become() Identity {
	return r.identity(r.play.become, instance{ctx: r.ctx, scope: r.root}, &evaluation{site: r.play.site, host: r.host})
}

// identity is whom to become, and how. What the inventory says of a host goes before plays and tasks, as variables do in Ansible.
func (r *HostRun) identity(b becoming, in instance, e *evaluation) Identity {
	return r.identityOn(r.host, b, in, e)
}

// identityOn is whom to become on another host, whose inventory counts then.
func (r *HostRun) identityOn(h *inventory.Host, b becoming, in instance, e *evaluation) Identity {
	if h.Become != nil {
		b.on = h.Become
	}
	if !b.yes() {
		return Identity{}
	}
	said := func(inventory string, x hcl.Expression, name string) string {
		if inventory != "" {
			return inventory
		}
		return r.text(x, name, in, e)
	}
	id := Identity{
		User:     said(h.BecomeUser, b.user, "become_user"),
		Method:   said(h.BecomeMethod, b.method, "become_method"),
		Password: said(h.BecomePassword.Reveal(), b.password, "become_password"),
		Flags:    packFlags(h.BecomeFlags),
	}
	if id.User == "" {
		id.User = "root"
	}
	if h.BecomeFlags == nil && b.flags != nil {
		id.Flags = r.flags(b.flags, in, e)
	}
	if m := inventory.BecomeMethods; id.Method != "" && !slices.Contains(m, id.Method) {
		e.fault(b.method.Range(), "Wrong value", "The argument \"become_method\" cannot be %q.%s", id.Method, inventory.DidYouMean(id.Method, m))
	}
	return id
}

// flags evaluates become_flags: a list, or one string with blanks between the options, as in Ansible.
func (r *HostRun) flags(x hcl.Expression, in instance, e *evaluation) string {
	const name = "become_flags"
	v, ok := r.meta(x, name, cty.DynamicPseudoType, in, e)
	switch {
	case !ok:
		return ""
	case !v.IsWhollyKnown():
		e.unknown = append(e.unknown, name)
		return ""
	case v.Type() == cty.String:
		return packFlags(strings.Fields(v.AsString()))
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil {
		e.fault(x.Range(), "Wrong value", "The argument %q is a string, or a list of them: %s.", name, err)
		return ""
	}
	flags := []string{}
	for _, f := range list.AsValueSlice() {
		if !f.IsNull() {
			flags = append(flags, f.AsString())
		}
	}
	return packFlags(flags)
}

// packFlags makes of nil "", and of no flags a string that is not.
func packFlags(flags []string) string {
	if flags == nil {
		return ""
	}
	return strings.Join(flags, flagEnd) + flagEnd
}

// Becomes is how the play comes to another user on a host, if it or one of its tasks, a handler's included, becomes one there: what
// the first of them says that does, as far as it is known before the play. A host that is no member of the play has only tasks
// that run on it for others.
func (p *Play) Becomes(h *inventory.Host, member bool) (Identity, bool) {
	says, yes, t := p.becomesFirst(h, member)
	if h.Become != nil && (member || p.lends(h)) {
		yes = *h.Become
	}
	if !yes {
		return Identity{}, false
	}
	says.on = &yes
	e := &evaluation{site: p.site, host: h}
	if len(says.expressions()) == 0 {
		return (&HostRun{play: p, host: h}).identity(says, instance{}, e), true
	}
	r := p.Start(h, Env{Plan: true})
	at := r.root
	if t != nil && t.role != "" {
		r.walk(func(o *Task, sc *scope) {
			if o == t && at == r.root {
				at = sc
			}
		})
	}
	return r.identity(says, instance{ctx: at.ctx, scope: at}, e), true
}

// becomesFirst is what the play says of whom to become, or else the first of its tasks that becomes anybody on a host.
func (p *Play) becomesFirst(h *inventory.Host, member bool) (becoming, bool, *Task) {
	if member && p.become.yes() {
		return p.become, true, nil
	}
	for _, tasks := range p.lists() {
		for _, t := range tasks {
			if b := t.become.over(p.become); b.yes() && (member && t.on == nil || t.mayRunOn(h)) {
				return b, true, t
			}
		}
	}
	return p.become, false, nil
}
