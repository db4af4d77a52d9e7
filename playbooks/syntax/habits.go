package syntax

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// comma refuses a comma behind an argument, and reads on as if it were not there: HCL would stop.
func (rw *rewriter) comma() {
	if rw.peek() != hclsyntax.TokenComma {
		return
	}
	at := rw.toks[rw.i].Range
	rw.fault(at, "Comma after an argument", "There is no comma here: arguments of a block are divided by blanks or line ends.")
	rw.edits = append(rw.edits, edit{at: at.Start.Byte, old: 1, text: " "})
	rw.i++
}

// colon refuses NAME: VALUE in the place of an argument, and reads on as if it were one.
func (rw *rewriter) colon() bool {
	at, name := rw.toks[rw.i].Range, rw.toks[rw.i-1]
	rw.fault(hcl.RangeBetween(name.Range, at), "Colon after a name", fmt.Sprintf("Arguments are set with an equals sign: %s = ...", name.Bytes))
	rw.edits = append(rw.edits, edit{at: at.Start.Byte, old: 1, text: " = "})
	rw.i++
	return rw.expression()
}

func (rw *rewriter) fault(rng hcl.Range, summary, detail string) {
	rw.faults = append(rw.faults, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng})
}

var yamlStart = regexp.MustCompile(`^(\s*(#[^\n]*)?\n)*(---|- [A-Za-z_]+:)`)

func looksLikeYAML(src []byte) bool { return yamlStart.Match(src) }

// unclosed says where a brace is probably missing when HCL found one that is never closed: before the first block that
// begins at the left margin, although another is open.
func (rw *rewriter) unclosed(diags hcl.Diagnostics) {
	for _, d := range diags {
		if d.Summary != "Unclosed configuration block" {
			continue
		}
		if inner, outer, ok := rw.misplaced(); ok {
			d.Summary, d.Subject, d.Context = "Missing brace", &inner.Range, nil
			d.Detail = fmt.Sprintf("The block that begins on line %d is still open where this %s begins: a closing brace } is missing before.",
				outer.Range.Start.Line, inner.Bytes)
		}
	}
}

func (rw *rewriter) misplaced() (inner, outer hclsyntax.Token, ok bool) {
	var open []hclsyntax.Token
	for i, t := range rw.toks {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open = append(open, t)
		case hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case hclsyntax.TokenIdent:
			if t.Range.Start.Column == 1 && len(open) > 0 && rw.headsBlock(i) {
				return t, open[len(open)-1], true
			}
		}
	}
	return inner, outer, false
}

// headsBlock reports whether the token at i begins a block.
func (rw *rewriter) headsBlock(i int) bool {
	at := rewriter{toks: rw.toks, i: i}
	return at.peekAt(1) != hclsyntax.TokenEqual && at.startsItem()
}

// yaml refuses a file in the language of other tools as a whole.
func yaml(name string, src []byte) hcl.Diagnostics {
	if !looksLikeYAML(src) {
		return nil
	}
	at := max(bytes.IndexByte(src, '-'), 0)
	return fault(name, src, at, "Not HCL", "This looks like YAML; a site is written in HCL: docs/language.md shows how.")
}
