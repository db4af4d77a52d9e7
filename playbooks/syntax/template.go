package syntax

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// templatePiece is how much of a template is parsed at a time, in bytes: hclsyntax takes a time that grows with the square of the
// lines.
const templatePiece = 32 << 10

// Template parses a template file.
func Template(src []byte, name string) (hcl.Expression, hcl.Diagnostics) {
	return template(src, name, templatePiece)
}

// template parses pieces of at least so many bytes, which end with a line outside of everything that has an end of its own.
func template(src []byte, name string, piece int) (hcl.Expression, hcl.Diagnostics) {
	if len(src) <= piece {
		return hclsyntax.ParseTemplate(src, name, hcl.InitialPos)
	}
	whole := &hclsyntax.TemplateExpr{}
	var diags hcl.Diagnostics
	start := hcl.InitialPos
	for _, end := range append(cuts(src, name), hcl.Pos{Byte: len(src)}) {
		if end.Byte-start.Byte < piece && end.Byte < len(src) {
			continue
		}
		e, faults := hclsyntax.ParseTemplate(src[start.Byte:end.Byte], name, start)
		diags = append(diags, faults...)
		t, parts := e.(*hclsyntax.TemplateExpr)
		if !parts { // a single value, which need not be text
			return e, diags
		}
		if whole.Parts == nil {
			whole.SrcRange = t.SrcRange
		}
		whole.Parts, whole.SrcRange.End = append(whole.Parts, t.Parts...), t.SrcRange.End
		start = end
	}
	return whole, diags
}

// cuts are the places between two lines of text that nothing around them knows of: neither an interpolation nor a directive,
// nor a tilde that strips blanks.
func cuts(src []byte, name string) (ends []hcl.Pos) {
	tokens, _ := hclsyntax.LexTemplate(src, name, hcl.InitialPos)
	sequences, blocks := 0, 0
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenTemplateInterp:
			sequences++
		case hclsyntax.TokenTemplateControl:
			sequences++
			if blocks += opens(tokens[i+1:]); blocks < 0 { // at fault
				return ends
			}
		case hclsyntax.TokenTemplateSeqEnd:
			sequences--
		case hclsyntax.TokenStringLit:
			if sequences == 0 && blocks == 0 && i > 0 && tokens[i-1].Type == t.Type && bytes.HasSuffix(tokens[i-1].Bytes, []byte("\n")) {
				ends = append(ends, t.Range.Start)
			}
		}
	}
	return ends
}

// opens is 1 for a directive that begins with rest and has an end of its own, -1 for such an end, and 0 for others.
func opens(rest hclsyntax.Tokens) int {
	switch string(rest[0].Bytes) {
	case "if", "for":
		return 1
	case "endif", "endfor":
		return -1
	}
	return 0
}
