// Package schema derives the description of a module's arguments from its Go struct: names, kinds, docs and options.
// It knows nothing of HCL, of hosts or of any single module; every view of a module (decoding, docs, diff, redaction)
// starts from the Block it returns.
package schema

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Kind is the shape of an argument's value.
type Kind string

// The kinds an argument can have. Object stands for a nested block, Any for a value passed through as JSON.
const (
	String Kind = "string"
	Int    Kind = "int"
	Float  Kind = "float"
	Bool   Kind = "bool"
	List   Kind = "list"
	Map    Kind = "map"
	Object Kind = "object"
	Any    Kind = "any"
)

// Attribute describes one argument of a module, or one field of a nested block.
type Attribute struct {
	Name      string   // as written in HCL and on the wire
	Kind      Kind     // shape of the value
	Elem      Kind     // element kind of a List or Map
	Doc       string   // one or more sentences, shown by labctl doc
	Enum      []string // allowed values; nil: any
	Default   string   // documented default, "" when unset means "leave alone"
	Key       bool     // filled from the block label
	Required  bool     // must be given
	Set       bool     // a list compared without regard to order
	Sensitive bool     // never shown
	Immutable bool     // a difference means replace
	Option    bool     // steers the module; not part of the state that is compared
	Computed  bool     // only in results, never given by the user
	Filled    bool     // filled in by the controller, never given by the user
	Home      bool     // names a file of the controller that the module brings home
	Exact     bool     // unset means "none": it is compared, not left alone
	Derived   bool     // computed, yet compared: Read sets it in what is wanted too, in the host's own words
	MadeUp    bool     // the kernel makes a value up where none is given: one read as zero is not known yet
	Text      bool     // long text: a difference is shown as a unified diff
	Fields    *Block   // of an Object
	Repeated  bool     // an Object that may be given many times, in order
	index     []int    // reflect path to the field
	goType    reflect.Type
}

// Block is the ordered list of a module's arguments.
type Block struct {
	Attributes []Attribute
	byName     map[string]*Attribute
}

// Find returns the attribute called name, or nil.
func (b *Block) Find(name string) *Attribute { return b.byName[name] }

// Key returns the attribute that the block label fills, or nil.
func (b *Block) Key() *Attribute {
	for i := range b.Attributes {
		if b.Attributes[i].Key {
			return &b.Attributes[i]
		}
	}
	return nil
}

// Value returns the field of v, a struct of the type the block was made from, that holds attribute a.
func (a *Attribute) Value(v reflect.Value) reflect.Value { return v.FieldByIndex(a.index) }

// Always reports whether a result has a value for a whenever the module has told what it found: nothing printed is "", no
// packet is 0. A pointer may be unset beside that, and what the kernel makes up may not be known yet.
func (a *Attribute) Always() bool {
	return a.Computed && !a.MadeUp && a.goType.Kind() != reflect.Pointer
}

// Of derives the Block of struct type t. A malformed struct is a fault of the program: Of panics.
func Of(t reflect.Type) *Block {
	b := &Block{byName: map[string]*Attribute{}}
	b.add(t, nil)
	for i := range b.Attributes {
		a := &b.Attributes[i]
		if b.byName[a.Name] != nil {
			panic(fmt.Sprintf("schema: %s: argument %q twice", t, a.Name))
		}
		b.byName[a.Name] = a
	}
	return b
}

// Later is Of at the first call: all modules' blocks take milliseconds at the start of every labctl and every agent, which use
// few of them.
func Later(t reflect.Type) func() *Block { return sync.OnceValue(func() *Block { return Of(t) }) }

func (b *Block) add(t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		path := append(append([]int(nil), prefix...), i)
		if f.Anonymous {
			b.add(f.Type, path)
			continue
		}
		if !f.IsExported() {
			continue
		}
		b.Attributes = append(b.Attributes, attribute(t, f, path))
	}
}

func attribute(t reflect.Type, f reflect.StructField, path []int) Attribute {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	a := Attribute{Name: name, Doc: f.Tag.Get("doc"), Default: f.Tag.Get("default"), index: path, goType: f.Type}
	if name == "" || a.Doc == "" {
		panic(fmt.Sprintf("schema: %s.%s lacks a json or doc tag", t, f.Name))
	}
	if e := f.Tag.Get("enum"); e != "" {
		a.Enum = strings.Split(e, ",")
	}
	for _, o := range strings.Split(f.Tag.Get("lab"), ",") {
		if o != "" && !a.option(o) {
			panic(fmt.Sprintf("schema: %s.%s: unknown lab option %q", t, f.Name, o))
		}
	}
	a.Computed = a.Computed || a.Derived
	a.shape(t, f)
	return a
}

func (a *Attribute) option(o string) bool {
	flags := map[string]*bool{
		"key": &a.Key, "required": &a.Required, "set": &a.Set, "sensitive": &a.Sensitive,
		"immutable": &a.Immutable, "option": &a.Option, "computed": &a.Computed, "derived": &a.Derived,
		"text": &a.Text, "exact": &a.Exact, "made_up": &a.MadeUp, "filled": &a.Filled, "home": &a.Home,
	}
	p, ok := flags[o]
	if ok {
		*p = true
	}
	return ok
}

func (a *Attribute) shape(t reflect.Type, f reflect.StructField) {
	ft := f.Type
	if ft.Kind() == reflect.Pointer {
		ft = ft.Elem()
	}
	switch {
	case ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct:
		a.Kind, a.Repeated, a.Fields = Object, true, Of(ft.Elem())
	case ft.Kind() == reflect.Struct:
		a.Kind, a.Fields = Object, Of(ft)
	case ft.Kind() == reflect.Slice:
		a.Kind, a.Elem = List, scalar(ft.Elem())
	case ft.Kind() == reflect.Map:
		a.Kind, a.Elem = Map, scalar(ft.Elem())
	default:
		a.Kind = scalar(ft)
	}
	if a.Kind == "" || (a.Kind == List || a.Kind == Map) && a.Elem == "" {
		panic(fmt.Sprintf("schema: %s.%s has unsupported type %s", t, f.Name, f.Type))
	}
}

func scalar(t reflect.Type) Kind {
	switch t.Kind() {
	case reflect.String:
		return String
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint16:
		return Int
	case reflect.Float64:
		return Float
	case reflect.Bool:
		return Bool
	case reflect.Interface:
		return Any
	}
	return ""
}
