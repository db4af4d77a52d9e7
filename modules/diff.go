package modules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"labctl/modules/codec"
	"labctl/modules/schema"
)

// Action says what a call does, or would do, to its object.
type Action string

// The actions, with the symbols that views give them: none " ", create "+", update "~", replace "-/+", delete "-",
// run "!" (a command, always reported as changed), read "<=" (a probe or a data source, changes nothing).
const (
	None    Action = "none"
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Run     Action = "run"
	Read    Action = "read"
)

// Changes reports whether the action alters the host.
func (a Action) Changes() bool { return a != None && a != Read && a != "" }

// Change is one attribute that differs. Before and After are plain JSON values (nil: unset).
type Change struct {
	Path      string `json:"path"`
	Before    any    `json:"before,omitempty"`
	After     any    `json:"after,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
	Replace   bool   `json:"replace,omitempty"` // cannot be changed in place
	Unknown   bool   `json:"unknown,omitempty"` // planning: Before is known after apply only, and nil
	Text      bool   `json:"text,omitempty"`    // long text: show as a unified diff

	UnknownAfter bool `json:"unknown_after,omitempty"` // planning: After is known after apply only, and nil
}

// Diff is the difference between what is there and what is wanted.
type Diff struct {
	Action  Action   `json:"action"`
	Changes []Change `json:"changes,omitempty"`
}

// Has reports whether the attribute at path (or one below it) differs.
func (d Diff) Has(path string) bool {
	return slices.ContainsFunc(d.Changes, func(c Change) bool {
		return c.Path == path || strings.HasPrefix(c.Path, path+".") || strings.HasPrefix(c.Path, path+"[")
	})
}

// compare lists every attribute that want sets and have does not hold. Both are pointers to the struct that b was made from;
// either may be nil (absent).
func compare(b *schema.Block, have, want any) Diff {
	switch {
	case have == nil && want == nil:
		return Diff{Action: None}
	case want == nil:
		return Diff{Action: Delete, Changes: whole(b, fieldsOf(have), false)}
	case have == nil:
		return Diff{Action: Create, Changes: whole(b, fieldsOf(want), true)}
	}
	return update(differences(b, fieldsOf(have), fieldsOf(want)))
}

// fieldsOf returns the struct that object points to.
func fieldsOf(object any) reflect.Value { return reflect.ValueOf(object).Elem() }

func update(changes []Change) Diff {
	d := Diff{Action: None, Changes: changes}
	if len(changes) > 0 {
		d.Action = Update
	}
	if slices.ContainsFunc(changes, func(c Change) bool { return c.Replace }) {
		d.Action = Replace
	}
	return d
}

// replacing is d when the attributes at paths cannot be changed in place.
func (d Diff) replacing(paths []string) Diff {
	for i := range d.Changes {
		d.Changes[i].Replace = d.Changes[i].Replace || slices.Contains(paths, d.Changes[i].Path)
	}
	return update(d.Changes)
}

// unknown reports whether v, read from a host, is the value of an attribute that the kernel makes up, before it has: a plan
// has made the object.
func unknown(a *schema.Attribute, v reflect.Value) bool {
	switch {
	case !a.MadeUp:
		return false
	case v.Kind() == reflect.Slice: // a list is one empty string
		return v.Len() == 1 && v.Index(0).IsZero()
	}
	return v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().IsZero()
}

// stateful reports whether a is part of the compared state.
func stateful(a *schema.Attribute) bool { return !a.Key && !a.Option && (!a.Computed || a.Derived) }

// whole lists all attributes that v sets, as those of an object that appears or goes away.
func whole(b *schema.Block, v reflect.Value, appears bool) []Change {
	var out []Change
	for i := range b.Attributes {
		a := &b.Attributes[i]
		f := a.Value(v)
		if !stateful(a) || unset(f) {
			continue
		}
		c := Change{Path: a.Name, Sensitive: a.Sensitive, Text: a.Text}
		switch {
		case appears:
			c.After = plain(a, f)
		case unknown(a, f):
			c.Unknown = true
		default:
			c.Before = plain(a, f)
		}
		out = append(out, c)
	}
	return out
}

func differences(b *schema.Block, have, want reflect.Value) []Change {
	var out []Change
	for i := range b.Attributes {
		a := &b.Attributes[i]
		w := a.Value(want)
		if !stateful(a) || unset(w) && (!a.Exact || unset(a.Value(have))) {
			continue
		}
		before, after := value(a, a.Value(have)), value(a, w)
		if a.Kind == schema.Object && !a.Repeated && !unset(a.Value(have)) {
			out = append(out, nested(a, a.Value(have), w)...)
			continue
		}
		if reflect.DeepEqual(before, after) {
			continue
		}
		c := Change{Path: a.Name, Before: before, After: after, Sensitive: a.Sensitive, Replace: a.Immutable, Text: a.Text}
		if c.Unknown = unknown(a, a.Value(have)); c.Unknown {
			c.Before = nil
		}
		out = append(out, c)
	}
	return out
}

// value is the plain value of an attribute; nil when unset and unset means none.
func value(a *schema.Attribute, v reflect.Value) any {
	if a.Exact && unset(v) {
		return nil
	}
	return plain(a, v)
}

// nested compares a single nested block attribute by attribute, so that what it leaves unset stays unmanaged.
func nested(a *schema.Attribute, have, want reflect.Value) []Change {
	out := differences(a.Fields, reflect.Indirect(have), reflect.Indirect(want))
	for i := range out {
		out[i].Path = a.Name + "." + out[i].Path
		out[i].Replace = out[i].Replace || a.Immutable
	}
	return out
}

// unset reports whether the user left the argument out: nil pointers, slices and maps, and the zero value of a plain
// string or number. An empty, non-nil list is a value: "none".
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	}
	return v.IsZero()
}

// redacted blanks the values of sensitive attributes: they never leave the agent.
func (d Diff) redacted() Diff {
	out := d
	out.Changes = append([]Change(nil), d.Changes...)
	for i := range out.Changes {
		if out.Changes[i].Sensitive {
			out.Changes[i].Before, out.Changes[i].After = nil, nil
		}
	}
	return out
}

// brief says what differs on one line, for errors.
func (d Diff) brief() string {
	if d.Action == Create {
		return "it is absent"
	}
	if d.Action == Delete {
		return "it is still there"
	}
	var parts []string
	for _, c := range d.redacted().Changes {
		if c.Sensitive {
			parts = append(parts, c.Path+" (sensitive)")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s is %s, not %s", c.Path, compact(c.Before), compact(c.After)))
	}
	return strings.Join(parts, "; ")
}

func compact(v any) string {
	b, _ := codec.Marshal(v) // plain JSON value
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}
