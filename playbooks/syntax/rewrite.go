package syntax

import (
	"bytes"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func stringVal(s string) cty.Value { return cty.StringVal(s) }

// edit replaces old bytes at offset at of the source.
type edit struct {
	at, old int
	text    string
}

// rewriter walks the tokens of a file and notes the edits that make plain HCL of it. Where it does not understand what it
// sees it stops and leaves the rest to HCL's own parser, whose messages are better.
type rewriter struct {
	src    []byte
	name   string
	toks   hclsyntax.Tokens
	i      int
	edits  []edit
	labels []label
	faults hcl.Diagnostics

	between []int // where items begin that are not the first on their line, of those of their body
}

func (rw *rewriter) rewrite() []byte {
	rw.toks, _ = hclsyntax.LexConfig(rw.src, rw.name, hcl.InitialPos)
	rw.body(0)
	if len(rw.edits) == 0 {
		return rw.src
	}
	var out bytes.Buffer
	done := 0
	for _, e := range rw.edits {
		out.Write(rw.src[done:e.at])
		out.WriteString(e.text)
		done = e.at + e.old
	}
	out.Write(rw.src[done:])
	return out.Bytes()
}

func (rw *rewriter) peek() hclsyntax.TokenType { return rw.peekAt(0) }

func (rw *rewriter) peekAt(n int) hclsyntax.TokenType {
	if rw.i+n >= len(rw.toks) {
		return hclsyntax.TokenEOF
	}
	return rw.toks[rw.i+n].Type
}

func (rw *rewriter) newline() {
	rw.edits = append(rw.edits, edit{at: rw.toks[rw.i].Range.Start.Byte, text: "\n"})
}

// maxDepth bounds the nesting of blocks that is looked into; nobody nests deeper, and HCL's parser is recursive too.
const maxDepth = 100

// body rewrites a body up to its closing brace, which it leaves, and reports whether it understood everything.
func (rw *rewriter) body(depth int) bool {
	if depth > maxDepth {
		return false
	}
	for {
		switch rw.peek() {
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			rw.i++
			continue
		case hclsyntax.TokenEOF, hclsyntax.TokenCBrace:
			return true
		case hclsyntax.TokenIdent:
		default:
			return false
		}
		if !rw.item(depth) {
			return false
		}
		rw.comma()
		if !rw.endsLine() {
			if rw.peek() == hclsyntax.TokenIdent {
				rw.between = append(rw.between, rw.toks[rw.i].Range.Start.Byte)
			}
			rw.newline()
		}
	}
}

// endsLine reports whether the next token ends the line, or the file.
func (rw *rewriter) endsLine() bool {
	switch rw.peek() {
	case hclsyntax.TokenNewline, hclsyntax.TokenEOF:
		return true
	case hclsyntax.TokenComment:
		b := rw.toks[rw.i].Bytes
		return len(b) > 0 && b[len(b)-1] == '\n'
	}
	return false
}

// item rewrites one argument or block, starting at its name.
func (rw *rewriter) item(depth int) bool {
	rw.i++
	if rw.peek() == hclsyntax.TokenEqual {
		rw.i++
		return rw.expression()
	}
	if rw.peek() == hclsyntax.TokenColon {
		return rw.colon()
	}
	for {
		switch rw.peek() {
		case hclsyntax.TokenIdent:
			rw.i++
		case hclsyntax.TokenOQuote:
			if !rw.label() {
				return false
			}
		case hclsyntax.TokenOBrace:
			rw.i++
			return rw.block(depth)
		default:
			return false
		}
	}
}

// block rewrites what follows an opening brace, and the closing one.
func (rw *rewriter) block(depth int) bool {
	if rw.short() {
		return true
	}
	if !rw.endsLine() {
		rw.newline()
	}
	if !rw.body(depth+1) || rw.peek() != hclsyntax.TokenCBrace {
		return false
	}
	rw.i++
	return true
}

// short skips a block body that is empty: {}.
func (rw *rewriter) short() bool {
	if rw.peek() == hclsyntax.TokenCBrace {
		rw.i++
		return true
	}
	return false
}

// expression skips the value of an argument: up to the end of the line, the brace that closes the body, or the next
// argument or block on the same line.
func (rw *rewriter) expression() bool {
	nesting, operand := 0, false
	for ; ; rw.i++ {
		t := rw.peek()
		if t == hclsyntax.TokenEOF {
			return nesting == 0
		}
		if nesting == 0 {
			if rw.endsLine() || t == hclsyntax.TokenCBrace || t == hclsyntax.TokenComma || operand && rw.startsItem() {
				return true
			}
		}
		switch t {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			nesting++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
			hclsyntax.TokenTemplateSeqEnd:
			nesting--
		}
		operand = endsOperand(t)
	}
}

func endsOperand(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenCQuote, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
		hclsyntax.TokenCBrace, hclsyntax.TokenStar:
		return true
	}
	return false
}

// startsItem reports whether the tokens ahead are the head of an argument or of a block: neither can go on an expression.
func (rw *rewriter) startsItem() bool {
	if rw.peek() != hclsyntax.TokenIdent {
		return false
	}
	if rw.peekAt(1) == hclsyntax.TokenEqual {
		return true
	}
	for n := 1; ; n++ {
		switch rw.peekAt(n) {
		case hclsyntax.TokenIdent, hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote:
		case hclsyntax.TokenOBrace:
			return true
		default:
			return false
		}
	}
}

// label skips a quoted label. One that is a template is kept aside and a placeholder put in its stead.
func (rw *rewriter) label() bool {
	open := rw.toks[rw.i].Range
	nesting, template := 0, false
	for ; ; rw.i++ {
		switch rw.peek() {
		case hclsyntax.TokenEOF:
			return false
		case hclsyntax.TokenOQuote:
			nesting++
		case hclsyntax.TokenCQuote:
			if nesting--; nesting > 0 {
				continue
			}
			if template {
				rw.keep(hcl.Range{Filename: rw.name, Start: open.End, End: rw.toks[rw.i].Range.Start})
			}
			rw.i++
			return true
		case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			template = true
		}
	}
}

func (rw *rewriter) keep(content hcl.Range) {
	at := content.Start.Byte
	if bytes.ContainsAny(rw.src[at:content.End.Byte], "\r\n") {
		rw.fault(content, "Label on two lines", "A label is written on one line.")
	}
	rw.edits = append(rw.edits, edit{at: at, old: content.End.Byte - at, text: mark + strconv.Itoa(len(rw.labels))})
	rw.labels = append(rw.labels, label{rng: content, start: at})
}
