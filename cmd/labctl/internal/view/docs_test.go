package view

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"labctl/agent/wire"
	"labctl/runner"
)

const eventsPage = "../../../../docs/events.md"

// TestEventsPage: docs/events.md mentions every field that can appear in an event, and every kind, status, mode, action and
// error kind: whoever reads events with a program has nothing else to go by.
func TestEventsPage(t *testing.T) {
	raw, err := os.ReadFile(eventsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	names := jsonNames(reflect.TypeFor[runner.Event](), map[reflect.Type]bool{})
	names = append(names, constants(t, "../../../../runner/event.go", "Kind", "Status", "Mode")...)
	names = append(names, constants(t, "../../../../modules/diff.go", "Action")...)
	names = append(names, wire.KindArgument, wire.KindNotConverged, wire.KindProbe, wire.KindTimeout, wire.KindCancelled, wire.KindHost, wire.KindMoved, runner.KindNotPlanned)
	if len(names) < 80 {
		t.Fatalf("only %d names found in the sources: %q", len(names), names)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/events.md does not mention `%s`", name)
		}
	}
	if want := "version " + strconv.Itoa(runner.EventVersion); !strings.Contains(page, want) {
		t.Errorf("docs/events.md does not describe %s", want)
	}
}

// jsonNames lists the JSON names of t's fields and of all below them.
func jsonNames(t reflect.Type, seen map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] || !strings.HasPrefix(t.PkgPath(), "labctl/") {
		return nil
	}
	seen[t] = true
	var out []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" { // it is in no output
			continue
		}
		out = append(out, name)
		out = append(out, jsonNames(f.Type, seen)...)
	}
	return out
}

// constants lists the values of the constants in file that are declared with one of the types.
func constants(t *testing.T, file string, types ...string) []string {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || !slices.Contains(types, typ.Name) {
			return true
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok {
				s, _ := strconv.Unquote(lit.Value)
				out = append(out, s)
			}
		}
		return true
	})
	return out
}
