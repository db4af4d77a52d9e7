package syntax

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// unquoted says where a text is not closed on its line. What HCL says of the lines behind is left out: it reads them inside out.
func (rw *rewriter) unquoted(diags hcl.Diagnostics) hcl.Diagnostics {
	open, ok := rw.openQuote()
	if !ok {
		return nil
	}
	line, at := lineOf(rw.src, open.Start.Byte)
	open.End = hcl.Pos{Line: open.Start.Line, Column: open.Start.Column + len(line) - at, Byte: open.Start.Byte + len(line) - at}
	out := hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Unclosed quote", Subject: &open,
		Detail: `The text that begins here has no closing quote on its line. Text of several lines stands between <<EOT and EOT.`,
	}}
	for _, d := range diags {
		if d.Subject != nil && d.Subject.End.Line < open.Start.Line {
			out = append(out, d)
		}
	}
	return out
}

// openQuote is the first quote whose text goes on on the next line.
func (rw *rewriter) openQuote() (hcl.Range, bool) {
	var open []hcl.Range
	for _, t := range rw.toks {
		switch t.Type {
		case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			open = append(open, t.Range)
		case hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			open = open[:max(len(open)-1, 0)]
		case hclsyntax.TokenQuotedNewline:
			if len(open) > 0 {
				return open[len(open)-1], true
			}
		}
	}
	return hcl.Range{}, false
}
