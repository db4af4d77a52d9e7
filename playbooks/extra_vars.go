package playbooks

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"labctl/inventory"
)

// extraVars reads the -e options, the last of which wins.
func (s *Site) extraVars(options []string) map[string]given {
	out := map[string]given{}
	for _, o := range options {
		switch {
		case strings.HasPrefix(o, "@"):
			s.varsFile(o[1:], out)
		case strings.HasPrefix(strings.TrimSpace(o), "{"):
			s.varsJSON([]byte(o), "-e", out)
		default:
			s.varsWords(o, out)
		}
	}
	return out
}

func (s *Site) badVars(from, format string, args ...any) {
	s.diags.add(fault(nowhere, "Wrong variables", "%s: %s", from, fmt.Sprintf(format, args...)))
}

// varsWords reads k=v k2="v 2", as a shell would split it.
func (s *Site) varsWords(o string, out map[string]given) {
	for _, w := range words(o) {
		k, v, ok := strings.Cut(w, "=")
		if !ok || !hclsyntax.ValidIdentifier(k) {
			s.badVars("-e", "%q is not name=value. A JSON object or @FILE is possible too.", w)
			continue
		}
		out[k] = given{text: v, from: "-e"}
	}
}

// words splits at white space outside of quotes. One name=value with spaces in it needs no quotes when it is the only one.
func words(s string) []string {
	var out []string
	var cur strings.Builder
	quote, in := rune(0), false
	for _, c := range s {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, in = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if in {
				out = append(out, cur.String())
				cur.Reset()
				in = false
			}
		default:
			cur.WriteRune(c)
			in = true
		}
	}
	if in {
		out = append(out, cur.String())
	}
	return out
}

func (s *Site) varsJSON(b []byte, from string, out map[string]given) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		s.badVars(from, "This is not a JSON object: %s.", err)
		return
	}
	for k, raw := range m {
		ty, err := ctyjson.ImpliedType(raw)
		if err != nil {
			s.badVars(from, "The value of %q: %s.", k, err)
			continue
		}
		v, err := ctyjson.Unmarshal(raw, ty)
		if err != nil {
			s.badVars(from, "The value of %q: %s.", k, err)
			continue
		}
		out[k] = given{value: v, from: from}
	}
}

// checkExtra reports the names that nothing in the site knows: most likely they are misspelt.
func (s *Site) checkExtra() {
	names := append(sortedKeys(s.static.vars), sortedKeys(s.bare)...)
	idle := map[string][]string{} // of each file
	for _, n := range sortedKeys(s.extra) {
		g := s.said[n][0]
		switch hint := inventory.DidYouMean(n, names); {
		case s.bare[n] || inventory.IsAnsible(n):
		case g.file: // one file may serve several sites
			if meant, ok := strings.CutPrefix(hint, " D"); ok {
				n = fmt.Sprintf("%q (d%s)", n, meant)
			} else {
				n = strconv.Quote(n)
			}
			idle[g.from] = append(idle[g.from], n)
		default:
			s.diags.add(fault(nowhere, "Unknown variable", "No variable %q is declared, and no host, group or play has one of that name.%s", n, hint))
		}
	}
	for _, file := range sortedKeys(idle) {
		d := fault(nowhere, "Unknown variables", "%s has what no variable, host, group or play of this site is called: %s.", file, strings.Join(idle[file], ", "))
		d.Severity = hcl.DiagWarning
		s.diags.add(d)
	}
}
