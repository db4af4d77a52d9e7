package playbooks

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// gather collects what is said of variables from outside of the site, and of what hosts are told by a bare name.
func (s *Site) gather(decls []*variable, o Options) {
	s.variables, s.said, s.extra = decls, map[string][]given{}, map[string]cty.Value{}
	levels := []map[string]given{s.extraVars(o.Vars), s.varFiles(o.VarFiles)}
	for _, all := range levels {
		for name, g := range all {
			if s.static.vars[name] {
				s.said[name] = append(s.said[name], g)
				continue
			}
			g.value = g.bare(name)
			s.said[name] = append(s.said[name], g)
			if _, said := s.extra[name]; !said {
				s.extra[name] = g.value
			}
		}
	}
	for _, v := range decls {
		if text, set := s.environ["LABCTL_VAR_"+v.name]; set {
			s.said[v.name] = append(s.said[v.name], given{text: text, from: "the environment variable LABCTL_VAR_" + v.name})
		}
	}
}

// option is what has said it; the range tells in which file, if it is known.
func (g given) option() string {
	option := "-e"
	switch {
	case g.file:
		option = "--var-file"
	case strings.HasPrefix(g.from, "the "):
		return g.from
	}
	if g.from != "-e" && g.rng.Filename == "" {
		option += " " + g.from
	}
	return option
}

// bare is a value for a name that no variable block declares.
func (g given) bare(name string) cty.Value {
	v := g.value
	if v == cty.NilVal {
		v = cty.StringVal(g.text)
	}
	if inventory.IsSecret(name) {
		v = v.Mark(sensitive)
	}
	return v
}

// varFiles reads the files of --var-file, the last of which wins.
func (s *Site) varFiles(names []string) map[string]given {
	out := map[string]given{}
	for _, n := range names {
		one := map[string]given{}
		s.varsFile(n, one)
		for name, g := range one {
			g.file = true
			out[name] = g
		}
	}
	return out
}

// Explain lists where the variables of the site and those of a host come from: what counts, and then what it hides. Those of the site
// are called var.NAME.
func (s *Site) Explain(h *inventory.Host) []inventory.Origin {
	var out []inventory.Origin
	for _, v := range s.variables {
		for i, g := range s.said[v.name] {
			val := g.value
			if val == cty.NilVal {
				val = cty.StringVal(g.text)
			}
			out = append(out, v.origin(val, g.option(), g.rng, i == 0))
		}
		if v.preset == nil {
			continue
		}
		if val, diags := v.preset.Expr.Value(&hcl.EvalContext{Functions: s.scope.Functions}); !diags.HasErrors() {
			out = append(out, v.origin(val, "the default", v.preset.Range, len(s.said[v.name]) == 0))
		}
	}
	return append(out, s.explainBare(h)...)
}

func (v *variable) origin(val cty.Value, from string, rng hcl.Range, wins bool) inventory.Origin {
	if v.sensitive {
		val = val.Mark(sensitive)
	}
	return inventory.Origin{Name: "var." + v.name, Value: val, From: from, Range: rng, Wins: wins}
}

// Explain lists the variables of the play for a host that is one of its own. They hide what the inventory says of the same name.
func (p *Play) Explain(h *inventory.Host) []inventory.Origin {
	if hosts, _ := p.Hosts(""); !slices.Contains(hosts, h) {
		return nil
	}
	ctx := p.Start(h, Env{Plan: true}).ctx
	var out []inventory.Origin
	for _, d := range p.vars {
		val, diags := d.expr.Value(ctx)
		if diags.HasErrors() {
			val = cty.DynamicVal
		}
		_, given := p.site.extra[d.name]
		out = append(out, inventory.Origin{Name: d.name, Value: val, From: "the play", Range: d.rng, Wins: !given})
	}
	return out
}

// explainBare lists what is told to the host, by name.
func (s *Site) explainBare(h *inventory.Host) []inventory.Origin {
	var out []inventory.Origin
	below := s.Inventory.Explain(h)
	for _, name := range sortedKeys(s.extra) {
		for i, g := range s.said[name] {
			out = append(out, inventory.Origin{Name: name, Value: g.value, From: g.option(), Range: g.rng, Wins: i == 0})
		}
		for _, o := range below {
			if o.Name == name {
				o.Wins = false
				out = append(out, o)
			}
		}
	}
	for _, o := range below {
		if _, said := s.extra[o.Name]; !said {
			out = append(out, o)
		}
	}
	slices.SortStableFunc(out, func(a, b inventory.Origin) int { return strings.Compare(a.Name, b.Name) })
	return out
}
