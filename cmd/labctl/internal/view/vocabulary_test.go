package view

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/runner"
)

// sections are where docs/events.md describes the objects of an event.
var sections = map[reflect.Type]string{
	reflect.TypeFor[runner.Event]():   "Fields of an event",
	reflect.TypeFor[runner.Run]():     "run",
	reflect.TypeFor[runner.Task]():    "task",
	reflect.TypeFor[modules.Diff]():   "diff",
	reflect.TypeFor[modules.Change](): "change",
	reflect.TypeFor[modules.Result](): "result",
	reflect.TypeFor[runner.Error]():   "error",
	reflect.TypeFor[runner.Counts]():  "counts",
	reflect.TypeFor[runner.Push]():    "push",
	reflect.TypeFor[runner.Cost]():    "cost",
}

// TestFieldsOfEvents: the tables of docs/events.md have every field of an event, with its type, and no other.
func TestFieldsOfEvents(t *testing.T) {
	page, err := os.ReadFile(eventsPage)
	if err != nil {
		t.Fatal(err)
	}
	told, have := tables(string(page)), fieldTypes(t)
	for _, name := range slices.Sorted(maps.Keys(have)) {
		is, says := have[name], told[name]
		switch {
		case says == "":
			t.Errorf("docs/events.md lacks the field %s: a row | `NAME` | %s | MEANING | under that heading", name, is)
		case says != is && !(says == "bytes" && is == "integer"):
			t.Errorf("docs/events.md says that %s is %q, it is %q", name, says, is)
		}
	}
	for name := range told {
		if have[name] == "" {
			t.Errorf("docs/events.md has a field %s, which no event has", name)
		}
	}
}

// TestVocabularyStands: what a version of the vocabulary has had it keeps, since programs rely on it. New words are added to
// the list by -update, which takes none away: that needs a new version.
func TestVocabularyStands(t *testing.T) {
	words := map[string]bool{}
	for name, is := range fieldTypes(t) {
		words["field "+name+": "+is] = true
	}
	for _, typ := range []string{"Kind", "Status", "Mode"} {
		for _, c := range constants(t, "../../../../runner/event.go", typ) {
			words[strings.ToLower(typ)+" "+c] = true
		}
	}
	for _, c := range constants(t, "../../../../modules/diff.go", "Action") {
		words["action "+c] = true
	}
	file := fmt.Sprintf("testdata/vocabulary.%d", runner.EventVersion)
	was, err := os.ReadFile(file)
	if err != nil && !(*update && errors.Is(err, fs.ErrNotExist)) {
		t.Fatalf("%v: say in docs/events.md what is new in this version, and run with -update", err)
	}
	for word := range strings.Lines(string(was)) {
		if word = strings.TrimSpace(word); word != "" && !words[word] {
			t.Errorf("%q is no longer in the events: put it back, or raise runner.EventVersion and say so in docs/events.md", word)
			words[word] = true
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(slices.Sorted(maps.Keys(words)), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fieldTypes lists the fields of an event and of all objects in it, by section, with their types.
func fieldTypes(t *testing.T) map[string]string {
	out := map[string]string{}
	for typ, section := range sections {
		for f := range typ.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
				out[section+"/"+name] = typeName(t, f.Type)
			}
		}
	}
	return out
}

func typeName(t *testing.T, typ reflect.Type) string {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch typ {
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[time.Duration]():
		return "ns"
	case reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]():
		return "any"
	}
	switch typ.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "list of " + typeName(t, typ.Elem()) + "s"
	case reflect.Struct:
		if sections[typ] == "" {
			t.Errorf("docs/events.md has no section for %v: write one, and say in sections what it is called", typ)
		}
		return "object"
	}
	t.Fatalf("%v: a field of an event has a type that docs/events.md has no word for", typ)
	return ""
}

var tableRow = regexp.MustCompile("^\\| ((?:`\\w+`(?:, )?)+) \\| ([a-z ]+) \\| .+ \\|$")

// tables are the rows of all tables of fields, as fieldTypes has them.
func tables(page string) map[string]string {
	out := map[string]string{}
	section, inside := "", false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			section = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
		inside = line == "| field | type | value |" || inside && strings.HasPrefix(line, "|")
		if m := tableRow.FindStringSubmatch(line); m != nil && inside {
			for name := range strings.SplitSeq(m[1], ", ") {
				out[section+"/"+strings.Trim(name, "`")] = m[2]
			}
		}
	}
	return out
}
