package runlog

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"labctl/runner"
)

// List returns the runs that are kept, oldest first. One that cannot be read is left out.
func (d Dir) List() ([]Head, error) {
	runs, err := d.numbers()
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	var out []Head
	for _, n := range runs {
		if h, err := d.read(n); err == nil {
			out = append(out, h)
		}
	}
	return out, nil
}

func (d Dir) read(run int) (h Head, err error) {
	text, err := os.ReadFile(d.head(run))
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err == nil && h.Format > format {
		err = fmt.Errorf("a later labctl (%s) has kept it", h.Labctl)
	}
	return h, err
}

// Find returns the run that a word names: its number, or last.
func (d Dir) Find(word string) (Head, error) {
	runs, err := d.numbers()
	switch {
	case err != nil:
		return Head{}, fmt.Errorf("list the runs: %w", err)
	case len(runs) == 0:
		return Head{}, errors.New("no run of this project is kept")
	}
	last := runs[len(runs)-1]
	n := last
	if word != "last" {
		if n, err = strconv.Atoi(word); err != nil {
			return Head{}, fmt.Errorf("%q is no run: give its number, or last", word)
		}
	}
	h, err := d.read(n)
	if errors.Is(err, os.ErrNotExist) {
		return h, fmt.Errorf("run %d is not kept: there are %d to %d", n, runs[0], last)
	}
	if err != nil {
		return h, fmt.Errorf("read run %d: %w", n, err)
	}
	return h, nil
}

// Events calls f with what the run has said. Of a labctl that was killed that is not all.
func (d Dir) Events(run int, f func(runner.Event)) error {
	file, err := os.Open(d.events(run))
	if err != nil {
		return fmt.Errorf("read run %d: %w", run, err)
	}
	defer file.Close()
	z, err := gzip.NewReader(bufio.NewReader(file))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // killed at once
	}
	if err != nil {
		return fmt.Errorf("read run %d: %w", run, err)
	}
	dec := json.NewDecoder(z)
	for {
		var e runner.Event
		switch err := dec.Decode(&e); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("read run %d: %w", run, err)
		}
		f(e)
	}
}
