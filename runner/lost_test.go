package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/playbooks"
)

func mustSite(t *testing.T, b *bed, text string) *playbooks.Site {
	t.Helper()
	site, diags := playbooks.LoadSources(t.TempDir(), []playbooks.Source{{Name: "site.hcl", Text: []byte(text)}},
		playbooks.Options{Registry: b.registry("", ""), Environ: []string{}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return site
}

func TestContentThatCannotBeOpenedFailsItsTask(t *testing.T) {
	b := newBed(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "big")
	if err := os.WriteFile(path, make([]byte, 70000), 0o600); err != nil {
		t.Fatal(err)
	}
	site, diags := playbooks.LoadSources(dir, []playbooks.Source{{Name: filepath.Join(dir, "site.hcl"), Text: []byte(`host "a" {}
play "p" {
  hosts = "a"
  act "hang" {}
  put "one" { src = "big" }
  act "two" {}
}`)}}, playbooks.Options{Registry: b.registry("", ""), Environ: []string{}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	b.hang["a"] = make(chan struct{})
	go func() {
		<-b.begun // the file has been hashed
		_ = os.Remove(path)
		close(b.hang["a"])
	}()
	var all []Event
	New(Options{Site: site, Mode: Play, Opener: b}, func(e Event) { all = append(all, e) }).Run(bg)
	equal(t, "a", told(all, "a"), "changed hang", "failed put : one", "not_run two")
	if text := jsonOf(t, all); !strings.Contains(text, "no such file") {
		t.Errorf("the reason is missing: %s", text)
	}
}

func TestASessionLostUnderWay(t *testing.T) {
	b := newBed(t)
	all := b.run(bg, `host "a" {}
host "b" {}
play "p" {
  hosts = "a,b"
  act "one" {}
  act "die" { when = host.name == "a" }
  act "three" {}
}`, Options{})
	equal(t, "b", told(all, "b"), "changed one", "skipped die", "changed three")
	got := told(all, "a")
	if len(got) < 3 || got[len(got)-1] != "not_run three" || !strings.Contains(strings.Join(got, ","), "unreachable") {
		t.Errorf("a: %q", got)
	}
	if !strings.Contains(jsonOf(t, all), "may or may not be done") {
		t.Error("nothing says that it is not known what became of the task under way")
	}
	if c := recapOf(t, all, "a"); c.Unreachable != 1 {
		t.Errorf("recap %+v", c)
	}
}

// A first flight larger than every buffer is being written when the session ends.
func TestASessionLostInALongFlight(t *testing.T) {
	b := newBed(t)
	within(t, 20*time.Second, func() {
		all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "die" {}
  act "x" {
    for_each = [for i in range(400) : "n${i}"]
    say      = "`+strings.Repeat("x", 4000)+`"
  }
}`, Options{})
		if c := recapOf(t, all, "a"); c.Unreachable != 1 || c.NotRun < 399 {
			t.Errorf("recap %+v", c)
		}
	})
}

func TestInterruptedHostTellsWhatIsDone(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(bg)
	go func() {
		<-b.begun
		cancel()
	}()
	within(t, 4*time.Second, func() {
		all := b.run(ctx, `host "a" {}
play "p" {
  hosts = "a"
  act "one" {}
  act "hang" {}
  act "three" {}
}
play "q" {
  hosts = "a"
  act "later" {}
}`, Options{})
		equal(t, "a", told(all, "a"), "changed one", "failed hang", "not_run three")
		if last := all[len(all)-1]; last.Kind != RunDone || !last.Interrupted {
			t.Errorf("last event is %+v", last)
		}
		if text := jsonOf(t, all); !strings.Contains(text, "Once more ends labctl at once") {
			t.Errorf("nothing was said at once: %s", text)
		}
		if text := jsonOf(t, all); !strings.Contains(text, `"cancelled"`) {
			t.Errorf("the task under way does not say that it was cancelled: %s", text)
		}
	})
}

// An agent that does not answer the cancellation is left to itself after the grace time.
func TestInterruptionDoesNotWaitForEver(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(bg)
	go func() {
		<-b.begun
		cancel()
	}()
	start := time.Now()
	var sent string
	all := b.run(ctx, `host "a" {}
play "p" {
  hosts = "a"
  act "deaf" {}
  act "three" {}
}`, Options{Grace: 50 * time.Millisecond})
	for _, e := range all {
		if e.Kind == TaskDone && e.Status == Failed {
			sent = e.Error.Message
		}
	}
	if !strings.Contains(sent, "may or may not be done") || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %q", time.Since(start), sent)
	}
	equal(t, "a", told(all, "a"), "failed deaf", "not_run three")
}

// warnings are those of a host, in order.
func warnings(all []Event, host string) []string {
	var out []string
	for _, e := range all {
		if e.Kind == Warning && e.Host == host {
			out = append(out, e.Message)
		}
	}
	return out
}

func TestHandlersThatDoNotRunAreNamed(t *testing.T) {
	for name, last := range map[string]string{
		"a task fails behind it": `act "fail" {}`,
		"the session is lost":    `act "die" {}`,
		"the handler before it fails": `act "three" { notify = ["first"] }
  handler "first" { act "fail" {} }`,
	} {
		b := newBed(t)
		all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" { notify = ["reload"] }
  `+last+`
  handler "reload" { act "again" {} }
  handler "never" { act "never" {} }
}`, Options{})
		if got := warnings(all, "a"); len(got) != 1 || got[0] != `handler "reload" was notified on a and has not run` {
			t.Errorf("%s: warned of %q", name, got)
		}
	}
	b := newBed(t)
	all := b.run(bg, `host "a" {}
play "p" {
  hosts = "a"
  act "one" { notify = ["reload"] }
  handler "reload" { act "again" {} }
}`, Options{})
	if got := warnings(all, "a"); len(got) != 0 {
		t.Errorf("a handler that has run: %q", got)
	}
}

func TestPlaysNotBegunAreNamed(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	go func() {
		<-b.begun
		cancel()
	}()
	all := b.run(ctx, `host "a" {}
host "b" {}
play "p" {
  hosts = "a"
  act "one" { notify = ["reload"] }
  act "hang" {}
  handler "reload" { act "again" {} }
}
play "q" {
  hosts = "a,b"
  act "later" {}
}`, Options{})
	if got := jsonOf(t, all); !strings.Contains(got, `play \"q\" was not begun, on a, b`) {
		t.Errorf("nothing says that the second play was not begun:\n%s", got)
	}
	if got := warnings(all, "a"); len(got) != 1 || !strings.Contains(got[0], `"reload"`) {
		t.Errorf("warned of %q", got)
	}
}
