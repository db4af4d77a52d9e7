package bench

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	writeJSON = flag.String("figures", "", "JSON `file` to keep figures in; those that this run does not measure stay as they are")
	writePage = flag.String("page", "", "Markdown `file` whose table to renew")
)

// The table of a page stands between these lines.
const (
	tableBegin = "<!-- figures: renewed by make bench UPDATE=1 -->\n"
	tableEnd   = "<!-- /figures -->"
)

// figure is one measured row. Durations are wall time.
type figure struct {
	Case   string        `json:"case"`
	Tool   string        `json:"tool"`
	Hosts  int           `json:"hosts,omitempty"`
	First  time.Duration `json:"first_ns,omitempty"`
	Second time.Duration `json:"second_ns,omitempty"`
	Note   string        `json:"note,omitempty"`
}

// figures collects what the benchmarks of this process measure.
type figures struct {
	mu   sync.Mutex
	rows []figure
}

var found figures

func (f *figures) add(row figure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = append(f.rows, row)
}

// report prints the table, if anything was measured, and writes it to the files it is asked to.
func (f *figures) report() error {
	if len(f.rows) == 0 {
		return nil
	}
	machine := fmt.Sprintf("%s, %d CPUs, %s/%s, %s\n\n", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Printf("\n%s%s\n", machine, f.table())
	if *writeJSON != "" {
		if err := f.keep(*writeJSON); err != nil {
			return err
		}
	}
	if *writePage != "" {
		return renew(*writePage, machine+f.table())
	}
	return nil
}

// keep writes the figures to a file, after those of other rows that are in it already, which join f.
func (f *figures) keep(path string) error {
	var rows []figure
	switch b, err := os.ReadFile(path); {
	case err == nil:
		if err := json.Unmarshal(b, &rows); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	for _, r := range f.rows {
		i := slices.IndexFunc(rows, func(o figure) bool { return o.Case == r.Case && o.Tool == r.Tool && o.Hosts == r.Hosts })
		if i < 0 {
			rows = append(rows, r)
		} else {
			rows[i] = r
		}
	}
	f.rows = rows
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// renew puts text in the place of the table on a page.
func renew(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(page), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return fmt.Errorf("renew %s: there is no table", path)
	}
	return os.WriteFile(path, []byte(before+tableBegin+"```\n"+text+"```\n"+tableEnd+after), 0o644)
}

// processor is the kind of CPU, as the kernel calls it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

// table shows the rows, and for each how many times labctl's time it took in the same case.
func (f *figures) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "case\thosts\ttool\tfirst\tx labctl\tsecond\tx labctl\t")
	for _, r := range f.rows {
		base := f.labctl(r.Case, r.Hosts)
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Case, r.Hosts, r.Tool,
			seconds(r.First), ratio(r.First, base.First), seconds(r.Second), ratio(r.Second, base.Second), r.Note)
	}
	w.Flush()
	return trailing.ReplaceAllString(b.String(), "\n")
}

// trailing is what the columns leave at the ends of lines.
var trailing = regexp.MustCompile(` +\n`)

func (f *figures) labctl(name string, hosts int) figure {
	i := slices.IndexFunc(f.rows, func(r figure) bool { return r.Case == name && r.Hosts == hosts && r.Tool == "labctl" })
	if i < 0 {
		return figure{}
	}
	return f.rows[i]
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f s", d.Seconds())
}

func ratio(d, base time.Duration) string {
	if d == 0 || base == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", d.Seconds()/base.Seconds())
}

// TestFigures renews a page twice: figures of the second run replace those of the same row, and leave the others.
func TestFigures(t *testing.T) {
	page, kept := filepath.Join(t.TempDir(), "page.md"), filepath.Join(t.TempDir(), "kept.json")
	if err := os.WriteFile(page, []byte("above\n"+tableBegin+"old\n"+tableEnd+"\nbelow\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(rows ...figure) {
		f := figures{rows: rows}
		if err := errors.Join(f.keep(kept), renew(page, f.table())); err != nil {
			t.Fatal(err)
		}
	}
	run(figure{Case: "c", Tool: "labctl", Hosts: 5, First: time.Second, Second: time.Second}, figure{Case: "c", Tool: "other", Hosts: 5, Second: 3 * time.Second})
	run(figure{Case: "c", Tool: "labctl", Hosts: 5, First: time.Second, Second: 2 * time.Second})

	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := "above\n" + tableBegin + "```\n" + `case  hosts  tool    first    x labctl  second   x labctl
c     5      labctl  1.000 s  1.00      2.000 s  1.00
c     5      other   -        -         3.000 s  1.50
` + "```\n" + tableEnd + "\nbelow\n"
	if string(got) != want {
		t.Errorf("the page is\n%s\nwant\n%s", got, want)
	}
}
