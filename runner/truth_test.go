package runner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
)

// TestPlanIsThePlay plans and plays sites made up at random, of blocks, conditions, loops, handlers and failures, on hosts in memory:
// the stream of what is done is the one that was planned, but for what is known after apply.
func TestPlanIsThePlay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		text := madeUp(seed)
		plan, play := streams(t, text, Plan), streams(t, text, Play)
		open := map[string]bool{}
		for _, e := range plan {
			if e.Status == UnknownYet {
				open[where(e)] = true
			}
		}
		known := func(all []Event) (out []string) {
			for _, e := range all {
				if !open[where(e)] {
					out = append(out, whatOf(e))
				}
			}
			return out
		}
		if a, b := known(plan), known(play); !slices.Equal(a, b) {
			t.Fatalf("seed %d:\n%s\nplan %s\nplay %s", seed, text, strings.Join(a, "\n     "), strings.Join(b, "\n     "))
		}
	}
}

// What only a play can tell is set, or which turns of a role there are, is not known to a plan, and no fault in it.
func TestWhatAPlanDoesNotKnow(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" { vars = { port = 1 } }
role "r" {
  act "in the role" {}
  output "x" { value = 1 }
}
play "p" {
  hosts = "a"
  act "first" {
    say      = "one"
    register = "first"
  }
  set_fact "port" {
    when  = result.first.out == "two"
    value = 2
  }
  act "port ${port}" {}
  set_fact "port" {
    for_each = toset([result.first.out])
    value    = each.key
  }
  act "port ${port}" {}
  set_fact "port" { value = { known = 3, not = result.first.out } }
  act "port ${port.known}" {}
  use "r" {
    for_each = ["one", "two"]
    when     = each.key == result.first.out
    register = "r"
  }
  act "turns ${length(result.r)}" {}
}`, Options{Mode: Plan})
	equal(t, "a", told(all, "a"), "changed first", "unknown_yet set_fact : port", "unknown_yet port ${port}", "unknown_yet set_fact : port", "unknown_yet port ${port}",
		"unknown_yet set_fact : port", "changed port 3", "unknown_yet r : act : in the role", "unknown_yet r : act : in the role", "unknown_yet turns ${length(result.r)}")
}

// streams runs a site from the beginning and returns what became of its tasks.
func streams(t *testing.T, text string, mode Mode) (out []Event) {
	b := newBed(t)
	b.more = []string{"file", "copy", "assert", "debug", "stat"}
	b.nothing = map[string]host.FileState{"/": {File: host.File{Path: "/", Type: host.Directory, Mode: 0o755}}}
	for i := range 50 {
		for _, name := range []string{"/f%d", "/u%d", "/u%d-x"} {
			path := fmt.Sprintf(name, i)
			b.nothing[path] = host.FileState{File: host.File{Path: path, Type: host.Absent}}
		}
	}
	for _, e := range b.run(context.Background(), text, Options{Mode: mode}) {
		if e.Kind == TaskDone && e.Status != NotRun { // how far a host is ahead of a failure is another matter
			out = append(out, e)
		}
	}
	return out
}

func where(e Event) string {
	return fmt.Sprintf("%s:%d", e.Task.File[strings.LastIndex(e.Task.File, "/"):], e.Task.Line)
}

func whatOf(e Event) string {
	action := modules.None
	if e.Diff != nil {
		action = e.Diff.Action
	}
	return fmt.Sprintf("%s %s %s %s handler=%v ignored=%v rescued=%v", where(e), e.Task.Address, e.Status, action, e.Task.Handler, e.Ignored, e.Rescued)
}

// maker makes up sites. What is known after apply has objects of its own: whether they are there decides nothing that is known.
type maker struct {
	*rand.Rand
	b       strings.Builder
	results int
	unique  int
}

func madeUp(seed uint64) string {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 1))}
	m.b.WriteString("host \"h\" { address = \"192.0.2.1\" }\nplay \"p\" {\nhosts = \"h\"\nact \"r0\" { \nsay = \"x\"\nregister = \"r0\" \n}\n")
	m.list(3+m.IntN(6), 0)
	m.b.WriteString("handler \"one\" {\n debug \"one\" {}\n}\nhandler \"two\" {\n debug \"two\" {}\n}\n}\n")
	return m.b.String()
}

func (m *maker) list(n, depth int) {
	for range n {
		kinds := []func(int){m.file, m.file, m.file, m.assert, m.perhaps, m.act, m.loop}
		if depth < 3 {
			kinds = append(kinds, m.block, m.block)
		}
		if depth == 0 {
			kinds = append(kinds, func(int) { m.b.WriteString("flush_handlers {}\n") })
		}
		kinds[m.IntN(len(kinds))](depth)
	}
}

// meta closes a task, with arguments that any may have.
func (m *maker) meta() {
	for _, arg := range []string{"notify = [\"one\"]", "when = 1 == 2", "changed_when = false"} {
		if m.IntN(4) == 0 {
			m.b.WriteString("  " + arg + "\n")
		}
	}
	m.b.WriteString("}\n")
}

func (m *maker) file(int) {
	fmt.Fprintf(&m.b, "file \"/f%d/\" {\n", m.IntN(4))
	if m.IntN(4) == 0 {
		m.b.WriteString("  ensure = \"absent\"\n")
	}
	m.meta()
}

func (m *maker) assert(int) {
	fmt.Fprintf(&m.b, "assert \"a\" {\n  that = [%v]\n  ignore_errors = %v\n}\n", m.IntN(3) > 0, m.IntN(3) == 0)
}

func (m *maker) act(int) {
	m.results++
	fmt.Fprintf(&m.b, "act \"r%d\" {\n  say = \"x\"\n", m.results)
	m.meta()
}

// perhaps is a task that hangs on the result of a command.
func (m *maker) perhaps(int) {
	m.unique++
	switch m.IntN(4) {
	case 0:
		fmt.Fprintf(&m.b, "file \"/u%d/\" {\n  when = result.r0.out == \"x\"\n  notify = \"two\"\n}\n", m.unique)
	case 1:
		fmt.Fprintf(&m.b, "copy \"/u%d\" {\n  content = result.r0.out\n  notify = \"two\"\n}\n", m.unique)
	case 2:
		fmt.Fprintf(&m.b, "file \"/u%d-${each.key}/\" {\n  for_each = toset([result.r0.out])\n}\n", m.unique)
	case 3: // what stands on it is known
		fmt.Fprintf(&m.b, "copy \"/u%d\" {\n  content = result.r0.out\n}\nfile \"/u%d\" {\n  mode = \"0600\"\n}\n", m.unique, m.unique)
	}
}

func (m *maker) loop(int) {
	keys := []string{"f0", "f1", "f2"}[:1+m.IntN(3)]
	fmt.Fprintf(&m.b, "file \"/${each.key}/\" {\n  for_each = [\"%s\"]\n", strings.Join(keys, "\", \""))
	m.meta()
}

func (m *maker) block(depth int) {
	m.b.WriteString("block {\n")
	m.list(1+m.IntN(3), depth+1)
	for _, part := range []string{"rescue", "always"} {
		if m.IntN(2) == 0 {
			m.b.WriteString(part + " {\n")
			m.list(1+m.IntN(2), depth+1)
			m.b.WriteString("}\n")
		}
	}
	m.b.WriteString("}\n")
}
