package runlog

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"time"

	"labctl/runner"
)

const (
	mostText = 64 << 20    // of the events of one run, before they are compressed
	slowest  = time.Second // a disk that has not taken an event by then gets none any more
)

// Recorder keeps one run. It writes in a goroutine of its own, so that a run does not wait for a disk, and never fails: Close
// says what went wrong. A nil Recorder keeps nothing.
type Recorder struct {
	dir    Dir
	head   Head
	redact func(runner.Event) runner.Event
	queue  chan runner.Event
	done   chan struct{}
	cut    bool // Event has dropped some

	// Of the goroutine:
	file    *os.File
	zip     *gzip.Writer
	size    int  // bytes of text
	room    int  // for text
	short   bool // some was left out for want of room
	flushed time.Time
	err     error
}

// Record begins to keep a run. redact is passed every event before it is written.
func (d Dir) Record(h Head, redact func(runner.Event) runner.Event) (*Recorder, error) {
	h.Format = format
	if err := d.prune(); err != nil {
		return nil, err
	}
	if err := d.claim(&h); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.events(h.Run), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		_ = d.remove(h.Run)
		return nil, err
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed) // whose level is a constant
	r := &Recorder{dir: d, head: h, redact: redact, queue: make(chan runner.Event, 4096), done: make(chan struct{}), room: mostText, file: f, zip: z}
	go r.write()
	return r, nil
}

// Event takes in e. It is called by one goroutine at a time.
func (r *Recorder) Event(e runner.Event) {
	if r == nil {
		return
	}
	r.count(e)
	if r.cut {
		return
	}
	select {
	case r.queue <- e:
		return
	default:
	}
	late := time.NewTimer(slowest)
	defer late.Stop()
	select {
	case r.queue <- e:
	case <-late.C:
		r.cut = true
	}
}

// count sums up what the list of runs shows.
func (r *Recorder) count(e runner.Event) {
	switch {
	case e.Kind == runner.RunDone:
		r.head.Interrupted = e.Interrupted
	case e.Kind == runner.Recap && e.Counts != nil:
		c := &r.head.Counts
		r.head.Hosts++
		c.OK += e.Counts.OK
		c.Changed += e.Counts.Changed
		c.Unreachable += e.Counts.Unreachable
		c.Failed += e.Counts.Failed
		c.Skipped += e.Counts.Skipped
		c.Rescued += e.Counts.Rescued
		c.Ignored += e.Counts.Ignored
	}
}

// Close ends the record with the exit code of the run.
func (r *Recorder) Close(exit int) error {
	if r == nil {
		return nil
	}
	close(r.queue)
	select {
	case <-r.done:
	case <-time.After(5 * slowest):
		return os.ErrDeadlineExceeded
	}
	now := time.Now()
	r.head.Ended, r.head.Exit = &now, &exit
	r.head.Cut = r.cut || r.short || r.err != nil
	if err := r.dir.rewrite(&r.head); r.err == nil {
		r.err = err
	}
	return r.err
}

func (r *Recorder) write() {
	defer close(r.done)
	for e := range r.queue {
		switch {
		case r.err != nil:
		case r.size > r.room && !vital(e):
			r.short = true
		default:
			r.err = r.encode(e)
		}
	}
	err := r.zip.Close()
	if later := r.file.Close(); err == nil {
		err = later
	}
	if r.err == nil {
		r.err = err
	}
}

// vital reports whether a record that is full takes e nevertheless: what went wrong, and how it ended.
func vital(e runner.Event) bool {
	switch e.Kind {
	case runner.PlayStarted, runner.PlayDone, runner.Unreachable, runner.Recap, runner.RunDone:
		return true
	case runner.TaskDone:
		return e.Status == runner.Failed
	}
	return false
}

// encode writes an event, and now and then has all of them on the disk: a labctl that is killed leaves a record, too.
func (r *Recorder) encode(e runner.Event) error {
	enc := json.NewEncoder(counted{r})
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.redact(e)); err != nil {
		return err
	}
	if now := time.Now(); now.Sub(r.flushed) > time.Second {
		r.flushed = now
		return r.zip.Flush()
	}
	return nil
}

// counted counts what goes into the compression.
type counted struct{ r *Recorder }

func (c counted) Write(b []byte) (int, error) {
	c.r.size += len(b)
	return c.r.zip.Write(b)
}

var _ io.Writer = counted{}
