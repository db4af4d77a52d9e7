// Package runlog keeps what past runs of a project have said: their events, as --json prints them, and a head that tells runs
// apart. It does not know what a run is made of or how it is shown, and it must never be in the way of one: whoever records
// goes on if nothing can be kept.
package runlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"labctl/cmd/labctl/internal/statedir"
	"labctl/cmd/labctl/internal/wholefile"
)

// format is raised when what stands in a head changes its meaning.
const format = 1

// What is kept of one project, at most.
const (
	mostRuns  = 100
	mostBytes = 64 << 20 // compressed
)

// Head says what a run was. It is rewritten when the run has ended.
type Head struct {
	Format  int       `json:"labctl_log"`
	Run     int       `json:"run"` // its number
	Started time.Time `json:"started"`
	Labctl  string    `json:"labctl"` // version
	User    string    `json:"user"`
	Dir     string    `json:"dir"`     // the project
	Command []string  `json:"command"` // without what may be secret
	AdHoc   bool      `json:"ad_hoc,omitempty"`

	Ended       *time.Time `json:"ended,omitempty"`
	Exit        *int       `json:"exit,omitempty"`
	Interrupted bool       `json:"interrupted,omitempty"`
	Hosts       int        `json:"hosts"`
	Counts      Counts     `json:"counts"`        // of the recap, over all hosts
	Cut         bool       `json:"cut,omitempty"` // the events are not all there
}

// Counts are the numbers of the recap.
type Counts struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Unreachable int `json:"unreachable"`
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Rescued     int `json:"rescued"`
	Ignored     int `json:"ignored"`
}

// Dir is where the runs of a project are.
type Dir string

// Of returns the place of a project, a directory. It need not be there yet.
func Of(project string, getenv func(string) string) (Dir, error) {
	state, err := statedir.Of(getenv)
	if err != nil {
		return "", err
	}
	whole, err := filepath.Abs(project)
	if err != nil {
		return "", fmt.Errorf("find the directory of the project: %w", err)
	}
	if real, err := filepath.EvalSymlinks(whole); err == nil {
		whole = real
	}
	sum := sha256.Sum256([]byte(whole))
	return Dir(filepath.Join(state, "log", filepath.Base(whole)+"-"+hex.EncodeToString(sum[:4]))), nil
}

func (d Dir) head(run int) string   { return filepath.Join(string(d), strconv.Itoa(run)+".json") }
func (d Dir) events(run int) string { return filepath.Join(string(d), strconv.Itoa(run)+".jsonl.gz") }

// numbers lists the runs that are kept, oldest first.
func (d Dir) numbers() ([]int, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []int
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			if n, err := strconv.Atoi(name); err == nil && n > 0 {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return out, err
}

// claim makes the head of a new run, with the next number that is free.
func (d Dir) claim(h *Head) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	runs, err := d.numbers()
	if err != nil {
		return err
	}
	h.Run = 1
	if len(runs) > 0 {
		h.Run = runs[len(runs)-1] + 1
	}
	for ; ; h.Run++ { // another labctl may be faster
		f, err := os.OpenFile(d.head(h.Run), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		return errors.Join(json.NewEncoder(f).Encode(h), f.Close())
	}
}

// prune removes the oldest runs until there is room for one more.
func (d Dir) prune() error {
	runs, err := d.numbers()
	if err != nil {
		return err
	}
	var size int64
	sizes := make([]int64, len(runs))
	for i, n := range runs {
		if info, err := os.Stat(d.events(n)); err == nil {
			sizes[i] = info.Size()
		}
		size += sizes[i]
	}
	for i := 0; i < len(runs) && (len(runs)-i >= mostRuns || size > mostBytes); i++ {
		if err := d.remove(runs[i]); err != nil {
			return err
		}
		size -= sizes[i]
	}
	return nil
}

func (d Dir) remove(run int) error {
	if err := os.Remove(d.events(run)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(d.head(run))
}

// rewrite replaces a head, whole or not at all.
func (d Dir) rewrite(h *Head) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return wholefile.Write(wholefile.File{Path: d.head(h.Run), Content: append(text, '\n'), Private: true})
}
