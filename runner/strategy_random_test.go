package runner

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Whatever way hosts take through blocks, handlers, failures and meetings, the play comes to an end, and nobody is kept from a
// task by waiting in vain.
func TestMeetingsEnd(t *testing.T) {
	seeds := 25
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			g := &scenario{rand.New(rand.NewPCG(uint64(seed), 1)), 0, false}
			tasks := g.list(3)
			g.last = true
			text := together(g.arguments(), tasks+"\n handler \"h\" {\n"+g.list(1)+" }\n handler \"g\" {\n"+g.list(1)+" }")
			b := newBed(t)
			forks := []int{0, 1, 2}[g.IntN(3)]
			mode := []Mode{Play, Play, Play, Plan}[g.IntN(4)]
			within(t, 20*time.Second, func() {
				all := b.run(bg, text, Options{Forks: forks, Mode: mode})
				if text := jsonOf(t, all); strings.Contains(text, "Evaluation stands still") {
					t.Errorf("it stands still")
				}
			})
			for i := range g.n + 1 {
				if n := strings.Count(strings.Join(b.done, "\n")+"\n", fmt.Sprintf(": once%d\n", i)); n > 1 {
					t.Errorf("once%d was done %d times", i, n)
				}
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// scenario makes up plays.
type scenario struct {
	*rand.Rand
	n    int
	last bool // handlers, which notify nobody
}

func (g *scenario) arguments() string {
	return []string{"", "strategy = \"linear\"", "any_errors_fatal = true", "force_handlers = true", "any_errors_fatal = true\n force_handlers = true"}[g.IntN(5)]
}

// list makes up tasks, and blocks so many levels deep.
func (g *scenario) list(depth int) string {
	out := ""
	for range 1 + g.IntN(4) {
		out += g.item(depth)
	}
	return out
}

func (g *scenario) item(depth int) string {
	host := string("abc"[g.IntN(3)])
	g.n++
	switch k := g.IntN(10); {
	case k < 3 && depth > 0:
		out := "block {\n" + g.list(depth-1)
		if g.IntN(4) == 0 {
			out = "block {\n run_once = true\n" + g.list(depth-1)
		}
		if g.IntN(3) > 0 {
			out += "rescue {\n" + g.list(depth-1) + "}\n"
		}
		if g.IntN(3) > 0 {
			out += "always {\n" + g.list(depth-1) + "}\n"
		}
		return out + "}\n"
	case k < 4:
		return "sync {}\n"
	case k < 5:
		return fmt.Sprintf("act \"fail\" {\n when = host.name == %q\n}\n", host)
	case k < 6:
		return fmt.Sprintf("act \"once%d\" {\n run_once = true\n register = \"r%d\"\n}\nact \"${result.r%d.changed}\" {}\n", g.n, g.n, g.n)
	case k < 7:
		return fmt.Sprintf("act \"f%d\" {\n any_errors_fatal = true\n failed_when = host.name == %q && %v\n}\n", g.n, host, g.IntN(2) == 0)
	case k < 8 || g.last:
		return fmt.Sprintf("pair \"p%d\" {\n from = %q\n to = \"b\"\n address = \"10.0.0.9\"\n}\n", g.n, host)
	default:
		return fmt.Sprintf("act \"x%d\" {\n when = host.name != %q\n notify = %q\n}\n", g.n, host, string("gh"[g.IntN(2)]))
	}
}
