package runlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"labctl/runner"
)

func asIs(e runner.Event) runner.Event { return e }

// record keeps a run of n warnings.
func record(t *testing.T, d Dir, n int) *Recorder {
	t.Helper()
	r, err := d.Record(Head{Started: time.Now()}, asIs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r.Event(runner.Event{Kind: runner.Warning, Message: fmt.Sprint("warning ", i)})
	}
	return r
}

func TestRecordAndRead(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "p"))
	r := record(t, d, 10000) // more than the queue holds
	r.Event(runner.Event{Kind: runner.Recap, Host: "a", Counts: &runner.Counts{OK: 2, Changed: 1}})
	r.Event(runner.Event{Kind: runner.Recap, Host: "b", Counts: &runner.Counts{OK: 1}})
	if err := r.Close(0); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := d.Events(1, func(e runner.Event) {
		if n < 10000 && e.Message != fmt.Sprint("warning ", n) {
			t.Fatalf("event %d: %+v", n, e)
		}
		n++
	})
	h, findErr := d.Find("last")
	if err != nil || findErr != nil || n != 10002 || h.Run != 1 || h.Hosts != 2 || h.Counts.OK != 3 || *h.Exit != 0 || h.Cut {
		t.Errorf("%d events, %v, %+v, %v", n, err, h, findErr)
	}
}

// TestBounds: the oldest runs go, by number and by size.
func TestBounds(t *testing.T) {
	d := Dir(t.TempDir())
	for range mostRuns + 5 {
		if err := record(t, d, 1).Close(0); err != nil {
			t.Fatal(err)
		}
	}
	if runs, err := d.numbers(); err != nil || len(runs) != mostRuns || runs[0] != 6 {
		t.Errorf("%d runs from %v on, %v; want %d from 6 on", len(runs), runs[:1], err, mostRuns)
	}
	if err := os.Truncate(d.events(7), mostBytes); err != nil { // it has no blocks
		t.Fatal(err)
	}
	if err := record(t, d, 1).Close(0); err != nil {
		t.Fatal(err)
	}
	if runs, err := d.numbers(); err != nil || runs[0] != 8 {
		t.Errorf("runs from %v on, %v, want 8", runs[:1], err)
	}
	if left, _ := filepath.Glob(string(d) + "/*"); len(left) != 2*(mostRuns-1) {
		t.Errorf("%d files are left, want two for each of %d runs", len(left), mostRuns-1)
	}
}

func TestNumbersAreUnique(t *testing.T) {
	d := Dir(t.TempDir())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _ = record(t, d, 1).Close(0) })
	}
	all.Wait()
	if runs, err := d.List(); err != nil || len(runs) != 20 || runs[19].Run != 20 {
		t.Errorf("%d runs, %v, want 20", len(runs), err)
	}
}

// TestFullDisk: a run goes on, and the record says that it is not whole.
func TestFullDisk(t *testing.T) {
	d := Dir(t.TempDir())
	if err := os.Symlink("/dev/full", d.events(1)); err != nil {
		t.Fatal(err)
	}
	err := record(t, d, 100000).Close(0)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v, want %v", err, syscall.ENOSPC)
	}
	if h, err := d.Find("1"); err != nil || !h.Cut {
		t.Errorf("%+v, %v, want it to be cut", h, err)
	}
}

// TestCut: a run that says more than there is room for is kept up to there, and how it ended is, too.
func TestCut(t *testing.T) {
	d := Dir(t.TempDir())
	r := record(t, d, 0)
	r.room = 1 << 20
	long := strings.Repeat("x", 100<<10)
	for range 2 * r.room / len(long) {
		r.Event(runner.Event{Kind: runner.Warning, Message: long})
	}
	r.Event(runner.Event{Kind: runner.Recap, Host: "a"})
	r.Event(runner.Event{Kind: runner.RunDone})
	if err := r.Close(0); err != nil || !r.head.Cut || r.size > r.room+2*len(long) {
		t.Errorf("Close: %v, cut %v, %d bytes", err, r.head.Cut, r.size)
	}
	var last []runner.Kind
	if err := d.Events(1, func(e runner.Event) { last = append(last, e.Kind) }); err != nil || !slices.Equal(last[len(last)-2:], []runner.Kind{runner.Recap, runner.RunDone}) {
		t.Errorf("it ends with %v, %v", last[len(last)-2:], err)
	}
}

// TestKilled: what is left of a record that was not closed can be read.
func TestKilled(t *testing.T) {
	d := Dir(t.TempDir())
	if err := record(t, d, 1000).Close(0); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(d.events(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 5, info.Size() / 2, info.Size() - 1} {
		if err := os.Truncate(d.events(1), size); err != nil {
			t.Fatal(err)
		}
		if err := d.Events(1, func(runner.Event) {}); err != nil {
			t.Errorf("of %d bytes: %v", size, err)
		}
		if err := record(t, d, 1000).Close(0); err != nil { // the next truncation is of a whole one
			t.Fatal(err)
		}
		if err := os.Rename(d.events(2), d.events(1)); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(d.head(2))
	}
}

func TestOf(t *testing.T) {
	env := func(name string) string { return map[string]string{"HOME": "/h"}[name] }
	a, err := Of("/srv/site", env)
	b, _ := Of("/srv/other/../site", env)
	c, _ := Of("/etc/site", env)
	if err != nil || a != b || a == c || !strings.HasPrefix(string(a), "/h/.local/state/labctl/log/site-") {
		t.Errorf("%q %q %q %v", a, b, c, err)
	}
	if _, err := Of(".", func(string) string { return "" }); err == nil {
		t.Error("a place was found without a home")
	}
}

// BenchmarkRecord is what the record adds to a run, for each event of it.
func BenchmarkRecord(b *testing.B) {
	r, err := Dir(b.TempDir()).Record(Head{}, asIs)
	if err != nil {
		b.Fatal(err)
	}
	r.room = 1 << 40
	task := runner.Task{Name: "copy : /etc/motd", Module: "copy", Label: "/etc/motd", Address: "copy./etc/motd", File: "site.hcl", Line: 12}
	for b.Loop() {
		r.Event(runner.Event{Time: time.Now(), Kind: runner.TaskDone, Host: "host0001", Task: &task, Status: runner.OK, Duration: 12345})
	}
	if err := r.Close(0); err != nil {
		b.Fatal(err)
	}
}
