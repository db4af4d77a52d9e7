package syntax

import (
	"reflect"
	"sort"
	"unicode/utf8"

	"github.com/apparentlymart/go-textseg/v15/textseg"
	"github.com/hashicorp/hcl/v2"
)

// placer turns positions in the rewritten text into positions in the source.
type placer struct {
	src    []byte
	ascii  bool  // all of src is
	lines  []int // offset of the start of each line
	spans  []span
	seen   map[any]struct{}
	fields map[reflect.Type][]int // those of each type that may hold ranges
}

// span is a stretch of the rewritten text, starting at from, and where it comes from. An edited stretch maps to one point.
type span struct {
	from, to int
	edited   bool
}

func newPlacer(src []byte, edits []edit) *placer {
	p := &placer{src: src, ascii: true, lines: []int{0}, spans: []span{{}}, seen: map[any]struct{}{}, fields: map[reflect.Type][]int{}}
	for i, b := range src {
		if b == '\n' {
			p.lines = append(p.lines, i+1)
		}
		p.ascii = p.ascii && b < utf8.RuneSelf
	}
	shift := 0
	for _, e := range edits {
		at := e.at + shift
		p.spans = append(p.spans, span{at, e.at, true}, span{at + len(e.text), e.at + e.old, false})
		shift += len(e.text) - e.old
	}
	return p
}

// pos maps one position.
func (p *placer) pos(in hcl.Pos) hcl.Pos {
	i := sort.Search(len(p.spans), func(i int) bool { return p.spans[i].from > in.Byte }) - 1
	s := p.spans[max(i, 0)]
	at := s.to
	if !s.edited {
		at += in.Byte - s.from
	}
	at = min(at, len(p.src))
	line := sort.SearchInts(p.lines, at+1) - 1
	return hcl.Pos{Line: line + 1, Column: 1 + p.columns(p.src[p.lines[line]:at]), Byte: at}
}

// columns counts grapheme clusters, as HCL does.
func (p *placer) columns(b []byte) int {
	if p.ascii {
		return len(b)
	}
	n, err := textseg.TokenCount(b, textseg.ScanGraphemeClusters)
	if err != nil {
		return len(b)
	}
	return n
}

// diagnostics maps the ranges of diags.
func (p *placer) diagnostics(diags hcl.Diagnostics) {
	for _, d := range diags {
		d.Subject, d.Context = p.copied(d.Subject), p.copied(d.Context)
	}
}

func (p *placer) copied(r *hcl.Range) *hcl.Range {
	if r == nil {
		return nil
	}
	return &hcl.Range{Filename: r.Filename, Start: p.pos(r.Start), End: p.pos(r.End)}
}

var rangeType = reflect.TypeFor[hcl.Range]()

// place maps every source range that can be reached from v, in place. The nodes of a syntax tree keep their ranges in
// exported fields, of many types: a walk by reflection is shorter than a list of them, and does not go stale.
func (p *placer) place(v any) { p.value(reflect.ValueOf(v)) }

func (p *placer) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		key := v.Interface()
		if _, seen := p.seen[key]; seen {
			return
		}
		p.seen[key] = struct{}{}
		p.value(v.Elem())
	case reflect.Interface:
		p.boxed(v)
	case reflect.Slice:
		for i := range v.Len() {
			p.value(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			p.value(v.MapIndex(k)) // bodies hold pointers only
		}
	case reflect.Struct:
		p.structure(v)
	}
}

// boxed maps the value in an interface. What is not a pointer cannot be changed there, so it is copied and put back.
func (p *placer) boxed(v reflect.Value) {
	if v.IsNil() {
		return
	}
	if e := v.Elem(); e.Kind() != reflect.Struct {
		p.value(e)
		return
	}
	if !v.CanSet() {
		return
	}
	c := reflect.New(v.Elem().Type()).Elem()
	c.Set(v.Elem())
	p.value(c)
	v.Set(c)
}

func (p *placer) structure(v reflect.Value) {
	if v.Type() == rangeType {
		if v.CanSet() {
			r := v.Addr().Interface().(*hcl.Range)
			r.Start, r.End = p.pos(r.Start), p.pos(r.End)
		}
		return
	}
	for _, i := range p.fieldsOf(v.Type()) {
		p.value(v.Field(i))
	}
}

// fieldsOf lists the fields of a type that are worth a look. A large file has many values of few types.
func (p *placer) fieldsOf(t reflect.Type) []int {
	fields, known := p.fields[t]
	if known {
		return fields
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && holdsRanges(f.Type) {
			fields = append(fields, i)
		}
	}
	p.fields[t] = fields
	return fields
}

// holdsRanges leaves out the values of which a tree has many and that hold no range.
func holdsRanges(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Uint8, reflect.Int32, reflect.Func:
		return false
	case reflect.Slice:
		return holdsRanges(t.Elem())
	}
	return t.PkgPath() != "github.com/zclconf/go-cty/cty"
}
