// Package syntax reads one HCL file with two liberties: a block may hold several arguments on one line, and a block label
// may be a template ("${each.key}"). Both are rewritten into plain HCL before parsing, and every source range is put back
// afterwards, so that messages show the file as it was written. The package knows no block type and no argument.
package syntax

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 64 << 20

// File is a parsed file.
type File struct {
	*hcl.File
	Name   string
	labels []label // the templates found in block labels
}

// label is a template that stood in a block label, between its quotes.
type label struct {
	expr  hcl.Expression
	rng   hcl.Range // of the content, without the quotes
	start int       // byte offset of the content
}

// mark starts a label that stands for labels[n]. No file can contain it: control characters are refused.
const mark = "\x01"

// Parse parses src, which diagnostics call name. The File is never nil and holds what could be read.
func Parse(name string, src []byte) (*File, hcl.Diagnostics) {
	f := &File{Name: name, File: &hcl.File{Body: &hclsyntax.Body{}, Bytes: src}}
	if diags := refuse(name, src); diags != nil {
		return f, diags
	}
	rw := &rewriter{src: src, name: name}
	text := rw.rewrite()
	parsed, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if len(rw.edits) > 0 {
		p := newPlacer(src, rw.edits)
		p.diagnostics(diags) // first: some point into the tree
		p.place(parsed.Body)
	}
	rw.unclosed(diags)
	advise(src, diags)
	diags = append(rw.faults, diags...)
	f.File.Body, f.File.Nav = parsed.Body, parsed.Nav
	if nav, ok := parsed.Nav.(interface{ ContextString(int) string }); ok {
		f.File.Nav = navigation{f, nav}
	}
	if faults := rw.unquoted(diags); faults != nil {
		f.File.Nav = nil // so are its blocks
		return f, faults
	}
	f.labels = rw.labels
	for i := range f.labels {
		l := &f.labels[i]
		content := src[l.start : l.start+l.rng.End.Byte-l.rng.Start.Byte]
		expr, more := hclsyntax.ParseTemplate(content, name, l.rng.Start)
		l.expr = expr
		diags = append(diags, more...)
	}
	return f, diags
}

// refuse reports what cannot be HCL at all.
func refuse(name string, src []byte) hcl.Diagnostics {
	if len(src) > MaxSize {
		return fault(name, src, 0, "File too large", fmt.Sprintf("This file has %d bytes; at most %d are read. Split it.", len(src), MaxSize))
	}
	if i := invalidUTF8(src); i >= 0 {
		return fault(name, src, i, "Invalid character encoding",
			fmt.Sprintf("Byte %d of this file is not UTF-8. Save the file as UTF-8.", i))
	}
	if diags := yaml(name, src); diags != nil {
		return diags
	}
	if i := slices.IndexFunc(src, func(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' }); i >= 0 {
		return fault(name, src, i, "Invalid character", fmt.Sprintf("The control character %q does not belong into a text file.", src[i]))
	}
	return nil
}

func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func fault(name string, src []byte, at int, summary, detail string) hcl.Diagnostics {
	pos := hcl.Pos{Line: 1 + bytes.Count(src[:at], []byte("\n")), Column: at - bytes.LastIndexByte(src[:at], '\n'), Byte: at}
	end := pos
	if at < len(src) {
		end.Byte, end.Column = at+1, pos.Column+1
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: summary, Detail: detail,
		Subject: &hcl.Range{Filename: name, Start: pos, End: end},
	}}
}

// Label returns the expression that stands for a block label: the template it holds, or its text as it is.
func (f *File) Label(text string, rng hcl.Range) hcl.Expression {
	if l := f.template(text); l != nil {
		return l.expr
	}
	return hcl.StaticExpr(stringVal(text), rng)
}

// IsTemplate reports whether the label is a template.
func (f *File) IsTemplate(text string) bool { return f.template(text) != nil }

// Source returns the label as it is written in the file.
func (f *File) Source(text string) string {
	if l := f.template(text); l != nil {
		return string(f.Bytes[l.start : l.start+l.rng.End.Byte-l.rng.Start.Byte])
	}
	return text
}

func (f *File) template(text string) *label {
	if len(text) < 2 || text[:1] != mark {
		return nil
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil || n >= len(f.labels) {
		return nil
	}
	return &f.labels[n]
}
