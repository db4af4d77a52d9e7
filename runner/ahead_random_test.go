package runner

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestAheadIsInOrder plays sites made up at random, of blocks, failures, variables that are set, results, roles and handlers: what is
// done is what would be done if each task were evaluated when all before it have ended.
func TestAheadIsInOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(120) {
		text := (&course{Rand: rand.New(rand.NewPCG(seed, 2))}).site()
		ahead, inOrder := courseOf(t, text), courseOf(t, strings.ReplaceAll(text, "#", "failed_when = self.failed"))
		if !slices.Equal(ahead, inOrder) {
			t.Fatalf("seed %d:\n%s\n   ahead %s\nin order %s", seed, text, strings.Join(ahead, "\n         "), strings.Join(inOrder, "\n         "))
		}
	}
}

// courseOf plays a site on its one host, and returns what became of its tasks, and of the host.
func courseOf(t *testing.T, text string) []string {
	b := newBed(t)
	b.more = []string{"debug"}
	all := b.run(bg, text, Options{})
	out := slices.DeleteFunc(told(all, "a"), func(s string) bool { return strings.HasPrefix(s, "not_run ") })
	return append(out, b.done...)
}

// course makes up the way of a host through a site. Each act ends with #, for what has nothing behind it begin before it has ended.
type course struct {
	*rand.Rand
	acts    int
	results []string // that may be referred to
	inRole  bool
	quiet   bool // it notifies nobody: it is in a handler
}

func (c *course) site() string {
	forced := []string{"", "force_handlers = true"}[c.IntN(2)]
	role := "role \"r\" {\nvariable \"n\" {}\n"
	c.inRole = true
	role += c.list(2)
	c.quiet = true
	role += "handler \"of the role\" {\n" + c.act("in the role") + "}\noutput \"n\" { value = \"${var.n}${v}\" }\n}\n"
	c.inRole, c.quiet, c.results = false, false, nil
	body := c.list(3)
	c.quiet, c.results = true, nil
	return role + "host \"a\" { vars = { v = \"0\" } }\nplay \"p\" {\nhosts = \"a\"\n" + forced + "\n" + body +
		"handler \"one\" {\n" + c.list(1) + "}\nhandler \"two\" {\n" + c.act("two") + "}\n}\nplay \"q\" {\nhosts = \"a\"\nact \"next ${v}\" {}\n}\n"
}

func (c *course) list(depth int) string {
	out := ""
	for range 1 + c.IntN(4) {
		out += c.item(depth)
	}
	return out
}

func (c *course) item(depth int) string {
	c.acts++
	switch k := c.IntN(15); {
	case k == 14: // where the failure is not known yet, the last task seems to be at fault
		return "block {\n" + c.act("fail") + "set_fact \"v\" { value = \"x\" }\nrescue {\nset_fact \"v\" { value = \"4\" }\n}\n}\n" + c.act("${tonumber(v)}")
	case k < 4 && depth > 0:
		return c.block(depth)
	case k < 5 && depth < 3, k < 1:
		return c.act("fail")
	case k < 6:
		return fmt.Sprintf("set_fact \"v\" { value = %q }\n", []string{"1", "2", "3", "x"}[c.IntN(4)])
	case k < 7:
		return c.act("${tonumber(v)}")
	case k < 8 && len(c.results) > 0:
		r := c.results[c.IntN(len(c.results))]
		return c.act(fmt.Sprintf("%s ${result.%s.skipped} ${result.%s.failed}", r, r, r))
	case k < 9 && depth > 0 && !c.inRole:
		return fmt.Sprintf("use \"r\" {\nfor_each = [\"a\", \"b\"]\nn = \"${v}${each.key}\"\nregister = \"u%d\"\n}\nact \"${join(\" \", [for key, r in result.u%d : \"${key}=${r.n}\"])}\" {\n#\n}\n", c.acts, c.acts)
	case k < 10 && depth == 3:
		return "flush_handlers {}\n"
	case k < 11:
		return fmt.Sprintf("debug \"${v}\" { when = v != %q }\n", []string{"1", "x"}[c.IntN(2)])
	}
	return c.act(fmt.Sprintf("x%d", c.acts))
}

func (c *course) block(depth int) string {
	out := "block {\n" + c.list(depth-1)
	if c.IntN(6) > 0 {
		out += "rescue {\nact \"seen ${failure.task} ${failure.key}\" {\n#\n}\n" + c.list(depth-1) + "}\n"
	}
	if c.IntN(2) > 0 {
		out += "always {\nact \"at last ${try(failure.task, \"well\")}\" {\n#\n}\n" + c.list(depth-1) + "}\n"
	}
	return out + "}\n"
}

func (c *course) act(name string) string {
	c.acts++
	out := fmt.Sprintf("act %q {\n#\n", name)
	if c.IntN(3) == 0 {
		out += fmt.Sprintf("register = \"r%d\"\n", c.acts)
		defer func(n int) { c.results = append(c.results, fmt.Sprintf("r%d", n)) }(c.acts)
	}
	for _, arg := range []string{"notify = [\"one\"]", "notify = [\"two\"]", "ignore_errors = true", "when = v != \"1\"", "same = true", "changed_when = v == \"1\" || v == \"4\""} {
		if c.IntN(5) == 0 && (!strings.HasPrefix(arg, "notify") || !c.quiet && !c.inRole && !strings.Contains(out, "notify")) {
			out += arg + "\n"
		}
	}
	if c.inRole && !c.quiet && c.IntN(3) == 0 {
		out += "notify = [\"of the role\"]\n"
	}
	return out + "}\n"
}
