package view

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"labctl/runner"
)

const (
	redraw      = 100 * time.Millisecond // the live region changes ten times a second, no matter how much happens
	regionLines = 10
	maxPending  = 64 << 10 // bytes of text that may wait for the next redraw
)

// terminal runs a fold in the one goroutine that writes. On a TTY it keeps a region of lines below all else that says what
// is going on; lines appear above it. The cursor rests below the region and is never hidden, so that a killed process
// leaves nothing but text behind.
type terminal struct {
	o        Options
	p        *printer
	fold     fold
	progress *progress
	events   chan runner.Event
	pauses   chan pause
	stop     chan struct{} // closed by Close
	done     chan struct{} // closed when the goroutine has ended
	close    sync.Once

	// Of the goroutine:
	drawn  []int     // how wide the lines of the region on the screen are
	cols   int       // of the screen; 0: not known
	last   time.Time // of the last event, by its own clock
	seen   time.Time // when it came, by ours
	paused int       // questions that have the terminal
	err    error
}

// pause asks for the terminal, or, with by -1, gives it back. done is closed when that has happened.
type pause struct {
	by   int
	done chan struct{}
}

func newTerminal(o Options, p *printer, f fold) *terminal {
	if o.Err == nil {
		o.Err = io.Discard
	}
	t := &terminal{
		o: o, p: p, fold: f, progress: newProgress(),
		events: make(chan runner.Event, 256), pauses: make(chan pause), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go t.run()
	return t
}

// Event hands e to the goroutine. An event after Close is dropped.
func (t *terminal) Event(e runner.Event) {
	select {
	case t.events <- redact(e):
	case <-t.done:
	}
}

func (t *terminal) Pause() (resume func()) {
	t.pauseBy(1)
	return sync.OnceFunc(func() { t.pauseBy(-1) })
}

func (t *terminal) pauseBy(n int) {
	p := pause{n, make(chan struct{})}
	select {
	case t.pauses <- p:
		<-p.done
	case <-t.done:
	}
}

func (t *terminal) Close() error {
	t.close.Do(func() { close(t.stop) })
	<-t.done
	return t.err
}

func (t *terminal) run() {
	defer close(t.done)
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	var stopped <-chan os.Signal
	if t.screen() != nil {
		var done func()
		stopped, done = stops()
		defer done()
	}
	for {
		select {
		case e := <-t.events:
			t.take(e)
		case p := <-t.pauses:
			if t.paused == 0 {
				t.drain() // a question may be about what it follows
				t.draw(nil)
			}
			t.paused += p.by
			close(p.done)
		case <-stopped:
			t.suspend()
		case <-t.stop:
			t.finish()
			return
		case <-tick.C:
			t.fold.tick(t.now())
			if t.paused == 0 {
				t.draw(t.region())
			}
		}
	}
}

// suspend stops labctl with a clean screen. A question that has the terminal sees to that itself.
func (t *terminal) suspend() {
	if t.paused == 0 {
		t.draw(nil)
		stopNow()
	}
}

// drain takes in what has been sent.
func (t *terminal) drain() {
	for len(t.events) > 0 {
		t.take(<-t.events)
	}
}

// finish takes in what was sent before Close, shows all that is held back, and removes the region.
func (t *terminal) finish() {
	t.drain()
	t.fold.finish()
	t.draw(nil)
}

// take folds in e. Without a region its text goes out as soon as no other event is waiting.
func (t *terminal) take(e runner.Event) {
	t.fold.event(e)
	if t.o.TTY {
		t.progress.event(e)
	}
	t.last, t.seen = e.Time, time.Now()
	switch {
	case t.paused > 0:
	case t.p.size > maxPending:
		t.draw(t.region())
	case !t.o.TTY && len(t.events) == 0:
		t.draw(nil)
	}
}

// now continues the clock of the events, so that a replayed run ages as a live one does.
func (t *terminal) now() time.Time {
	if t.seen.IsZero() {
		return t.seen
	}
	return t.last.Add(time.Since(t.seen))
}

// screen is the terminal that there is a region on, or nil: of a test it is no file.
func (t *terminal) screen() *os.File {
	if f, ok := t.o.Out.(*os.File); ok && t.o.TTY {
		return f
	}
	return nil
}

// size returns how large the screen is. It is asked each time, since it may have been resized; lines that come later are as
// wide as it is then.
func (t *terminal) size() (width, height int) {
	width, height = t.p.width, 24
	f := t.screen()
	if f == nil {
		return width, height
	}
	w, h, err := term.GetSize(int(f.Fd()))
	if err != nil || w <= 0 {
		return width, height
	}
	if t.cols != 0 && t.cols != w {
		t.p.width = w
	}
	t.cols = w
	return w, h
}

func (t *terminal) region() []string {
	if !t.o.TTY {
		return nil
	}
	width, height := t.size()
	return t.progress.lines(t.now(), min(regionLines, max(height/2, 1)), width-1)
}

// erase goes back to where the region begins, from wherever what was typed has left the cursor in the line below it. A terminal
// that has become narrower has broken its lines.
func (t *terminal) erase() string {
	if len(t.drawn) == 0 {
		return ""
	}
	width, _ := t.size()
	rows := 0
	for _, w := range t.drawn {
		rows += max((w+width-1)/max(width, 1), 1)
	}
	return "\r\x1b[" + strconv.Itoa(rows) + "A\x1b[J"
}

// draw puts the pending text where the region was, and the region below it, each stream in one write where possible.
func (t *terminal) draw(region []string) {
	var out strings.Builder
	out.WriteString(t.erase())
	for _, c := range t.p.take() {
		if c.toErr {
			t.write(t.o.Out, out.String())
			out.Reset()
			t.write(t.o.Err, c.text)
			continue
		}
		out.WriteString(c.text)
	}
	t.drawn = t.drawn[:0]
	for _, line := range region {
		out.WriteString(t.p.paint(darkGray, line) + "\n")
		t.drawn = append(t.drawn, textWidth(line))
	}
	t.write(t.o.Out, out.String())
}

// write writes text unless a write has failed before.
func (t *terminal) write(w io.Writer, text string) {
	if text == "" || t.err != nil {
		return
	}
	_, t.err = io.WriteString(w, text)
}

var _ View = (*terminal)(nil)
var _ View = (*jsonView)(nil)
