package agent

import (
	"bufio"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxHeld bounds how long an introduction that may travel with the first replies waits for them.
const maxHeld = 50 * time.Millisecond

// output gathers frames, so that many leave in one write. A frame is one Write.
type output struct {
	mu   sync.Mutex
	w    *bufio.Writer
	sent time.Time // of the last flush
}

func newOutput(w io.Writer) *output { return &output{w: bufio.NewWriterSize(w, 64<<10)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

func (o *output) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = time.Now()
	if err := o.w.Flush(); err != nil {
		return fmt.Errorf("write reply: %w", err)
	}
	return nil
}

// hold counts the time until the next flush anew, and sees to it that maxHeld is not exceeded.
func (o *output) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = time.Now()
	time.AfterFunc(maxHeld, func() { _ = o.flush() }) // the next write says what is wrong
}

// age is the time since the last flush.
func (o *output) age() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Since(o.sent)
}
