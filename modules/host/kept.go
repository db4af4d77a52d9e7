package host

import (
	"io"
	"sync"
)

// Kept is what tasks leave open for later ones of the same session: a capture that is under way. The zero value is empty.
type Kept struct {
	mu   sync.Mutex
	open map[string]io.Closer
}

// Put keeps c under a name. What was there before is closed.
func (k *Kept) Put(name string, c io.Closer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.open[name]
	if k.open == nil {
		k.open = map[string]io.Closer{}
	}
	k.open[name] = c
	if before != nil {
		return before.Close()
	}
	return nil
}

// Take returns what is kept under a name, nil for nothing, and keeps it no longer.
func (k *Kept) Take(name string) io.Closer {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.open[name]
	delete(k.open, name)
	return c
}

// Close closes all that is kept.
func (k *Kept) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.open {
		_ = c.Close() // sockets of which nobody will hear again
	}
	k.open = nil
}
