package view

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"labctl/runner"
)

var update = flag.Bool("update", false, "rewrite the .txt files in testdata")

// TestGolden replays every testdata/NAME.jsonl as NAME.txt, and as NAME.OPTIONS.txt with the options that the name holds:
// color, diff, json, past, profile, github, v to vvv, and w40 for 40 columns. A new case is a new file; an empty one and -update will do.
func TestGolden(t *testing.T) {
	texts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(texts) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range texts {
		parts := strings.Split(strings.TrimSuffix(filepath.Base(file), ".txt"), ".")
		t.Run(strings.Join(parts, "."), func(t *testing.T) {
			events := readEvents(t, "testdata/"+parts[0]+".jsonl")
			golden(t, file, replay(events, options(t, parts[1:])))
		})
	}
}

func options(t *testing.T, names []string) Options {
	o := Options{Version: "test"}
	for _, name := range names {
		switch {
		case name == "color":
			o.Color = true
		case name == "diff":
			o.Diff = true
		case name == "json":
			o.JSON = true
		case name == "past":
			o.Past = true
		case name == "profile":
			o.Profile = true
		case name == "github":
			o.GitHub = true
		case strings.Trim(name, "v") == "":
			o.Verbosity = len(name)
		case name[0] == 'w':
			n, err := strconv.Atoi(name[1:])
			if err != nil {
				t.Fatal(err)
			}
			o.Width = n
		default:
			t.Fatalf("unknown option %q", name)
		}
	}
	return o
}

// replay folds events without a clock or a goroutine and returns both streams as they would meet on a terminal.
func replay(events []runner.Event, o Options) string {
	var out bytes.Buffer
	if o.JSON {
		o.Out = &out
		v := New(events[0].Run.Mode, o)
		for _, e := range events {
			v.Event(e)
		}
		return out.String()
	}
	p := newPrinter(o)
	f := newFold(events[0].Run.Mode, o, p)
	for _, e := range events {
		f.event(redact(e))
	}
	f.finish()
	for _, c := range p.take() {
		out.WriteString(c.text)
	}
	return out.String()
}

func readEvents(t *testing.T, file string) []runner.Event {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []runner.Event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		var e runner.Event
		if err := dec.Decode(&e); err != nil {
			t.Fatalf("%s:%d: %v", file, len(out)+1, err)
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(file, want, "got", []byte(got)); d != nil {
		t.Errorf("%s\nrun with -update if this is wanted", d)
	}
}

// at is a moment of a test's run.
func at(seconds float64) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}
