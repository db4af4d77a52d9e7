package syntax

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// unquoted says where a text is not closed. What HCL says of the lines behind is left out: it reads them inside out.
func (rw *rewriter) unquoted(diags hcl.Diagnostics) hcl.Diagnostics {
	open := rw.unclosedText()
	if open == nil {
		return nil
	}
	rng := open.Range
	line, at := lineOf(rw.src, rng.Start.Byte)
	rng.End = hcl.Pos{Line: rng.Start.Line, Column: rng.Start.Column + len(line) - at, Byte: rng.Start.Byte + len(line) - at}
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: &rng}
	switch open.Type {
	case hclsyntax.TokenOQuote:
		d.Summary, d.Detail = "Unclosed quote", "The text that begins here has no closing quote on its line. Text of several lines stands between <<EOT and EOT."
	case hclsyntax.TokenOHeredoc:
		d.Summary = "Unclosed text"
		d.Detail = fmt.Sprintf("The text that begins here goes on to a line that is %s alone, and there is none.", bytes.TrimLeft(bytes.TrimSpace(open.Bytes), "<-"))
	default:
		d.Summary, d.Detail = "Missing brace", fmt.Sprintf("What begins here with %s is not closed: a } is missing before the quote.", open.Bytes[:2])
	}
	out := hcl.Diagnostics{d}
	for _, d := range diags {
		if d.Subject != nil && d.Subject.End.Line < rng.Start.Line {
			out = append(out, d)
		}
	}
	return out
}

// unclosedText is the first quote whose text goes on on the next line, or the template around it if that has begun on the same
// line, for then it is that which is not closed; or else what begins a text of several lines that has no end.
func (rw *rewriter) unclosedText() *hclsyntax.Token {
	var open []*hclsyntax.Token
	for i := range rw.toks {
		switch t := &rw.toks[i]; t.Type {
		case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open = append(open, t)
		case hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			open = open[:max(len(open)-1, 0)]
		case hclsyntax.TokenQuotedNewline:
			switch n := len(open) - 1; {
			case n > 0 && open[n-1].Type != hclsyntax.TokenOQuote && open[n-1].Range.Start.Line == open[n].Range.Start.Line:
				return open[n-1]
			case n >= 0:
				return open[n]
			}
		}
	}
	if len(open) > 0 && open[0].Type == hclsyntax.TokenOHeredoc {
		return open[0]
	}
	return nil
}
