package playbooks

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maskAbove is the length, in bytes, from which on a secret is looked for in messages: shorter ones are found in many words.
const maskAbove = 4

// maskRow is the same for a line of a file that was encrypted: it may hold much that is not secret.
const maskRow = 8

const withheld = "(sensitive)"

// Mask takes secrets out of diagnostics. A value of a task that is at fault is not shown to begin with; here are those that stand where
// nobody expects one, such as in the name of a file or of a group, and what a program says of its arguments.
func (s *Site) Mask(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) == 0 {
		return nil
	}
	r := strings.NewReplacer(s.masked()...)
	out := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		c.Summary, c.Detail = r.Replace(d.Summary), r.Replace(d.Detail)
		out[i] = &c
	}
	return out
}

// masked lists all secrets that are known, as pairs for a Replacer: the longest first, since one may be part of another.
func (s *Site) masked() []string {
	found := map[string]bool{}
	rows := func(text string, above int) {
		for row := range strings.Lines(text + "\n" + strconv.Quote(text)) {
			if row = strings.Trim(strings.TrimSpace(row), `"`); len(row) >= above {
				found[row] = true
			}
		}
	}
	add := func(text string) { rows(text, maskAbove) }
	for _, text := range s.keys.Opened() {
		rows(text, maskRow)
	}
	if s.scope != nil {
		for _, v := range s.scope.Variables {
			leaves(v, false, add)
		}
	}
	for _, v := range s.extra {
		leaves(v, false, add)
	}
	for _, h := range s.Inventory.Hosts {
		for _, v := range h.Vars {
			leaves(v, false, add)
		}
		add(h.Password.Reveal())
		add(h.BecomePassword.Reveal())
	}
	texts := slices.SortedFunc(maps.Keys(found), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var out []string
	for _, t := range texts {
		out = append(out, t, withheld)
	}
	return out
}

// leaves calls add with each text and number in the sensitive parts of a value.
func leaves(v cty.Value, secret bool, add func(string)) {
	secret = secret || v.HasMark(sensitive)
	v, _ = v.Unmark()
	switch {
	case !v.IsKnown() || v.IsNull():
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			leaves(e, secret, add)
		}
	case secret && v.Type() != cty.Bool:
		if text, err := convert.Convert(v, cty.String); err == nil {
			add(text.AsString())
		}
	}
}
