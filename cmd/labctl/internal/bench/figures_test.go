package bench

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

var (
	writeJSON = flag.String("figures", "", "`file` to write the figures to, as JSON")
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
	text := fmt.Sprintf("%s, %d CPUs, %s/%s, %s\n\n%s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), f.table())
	fmt.Printf("\n%s\n", text)
	if *writePage != "" {
		if err := renew(*writePage, text); err != nil {
			return err
		}
	}
	if *writeJSON == "" {
		return nil
	}
	b, err := json.MarshalIndent(f.rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*writeJSON, append(b, '\n'), 0o644)
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
