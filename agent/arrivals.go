package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"labctl/agent/wire"
)

// arrivals takes in the contents that the runner sends for the request that runs, one at a time. They are written as they
// come, on the goroutine that receives: what the disk does not take holds up the runner, not the memory.
type arrivals struct {
	dir string

	mu   sync.Mutex
	id   int        // of the last Need
	sha  string     // of the content that is waited for; "": of none
	file *os.File   // what has come of it; nil: nothing has
	done chan error // takes its end
}

// expect begins a content. It has the number of the Need to send, and done gets the end of it.
func (a *arrivals) expect(sha string) (id int, done <-chan error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id++
	a.sha, a.done = sha, make(chan error, 1)
	return a.id, a.done
}

// take writes a part. What comes for a request whose time was over is thrown away.
func (a *arrivals) take(p *wire.Part) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sha == "" || p.ID != a.id {
		return
	}
	err := a.openLocked()
	if err == nil {
		_, err = a.file.Write(p.Data)
	}
	if err != nil {
		a.finishLocked(fmt.Errorf("keep content: %w", err))
	}
}

// end gives the content its name. Whether it is the one asked for is seen by who reads it.
func (a *arrivals) end(h *wire.Have) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sha == "" || h.ID != a.id {
		return
	}
	if h.Error != "" {
		a.finishLocked(errors.New(h.Error))
		return
	}
	err := a.openLocked() // it may be empty
	if err == nil {
		err = a.file.Close()
	}
	if err == nil {
		err = os.Rename(a.file.Name(), filepath.Join(a.dir, a.sha))
	}
	if err != nil {
		err = fmt.Errorf("keep content: %w", err)
	}
	a.finishLocked(err)
}

// forget says that nobody waits for the content any more.
func (a *arrivals) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finishLocked(nil)
}

func (a *arrivals) openLocked() error {
	switch {
	case a.file != nil:
		return nil
	case a.dir == "":
		return errors.New("there is no directory for it")
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	var err error
	a.file, err = os.OpenFile(filepath.Join(a.dir, a.sha+".part"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return err
}

func (a *arrivals) finishLocked(err error) {
	if a.file != nil {
		_ = a.file.Close()
		_ = os.Remove(a.file.Name()) // it has another name when all went well
	}
	if a.sha != "" {
		a.done <- err
	}
	a.sha, a.file = "", nil
}
