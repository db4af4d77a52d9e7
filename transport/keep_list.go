package transport

import (
	"slices"
	"strings"
	"time"
)

// Kept is a connection of a Keep.
type Kept struct {
	Name, Via, User, Addr string
	Since                 time.Time     // when it was made
	Used                  bool          // by somebody, at the moment
	LastUse               time.Time     // if it is not used
	Persist               time.Duration // how long it stays after LastUse
	BytesIn, BytesOut     int64
}

// List returns the connections, by their names.
func (k *Keep) List() []Kept {
	var out []Kept
	for _, l := range k.all() {
		s := l.flow.stats()
		c := Kept{Name: l.target.Name, User: l.target.user(), Addr: l.target.addr(), Since: l.since, BytesIn: s.BytesIn, BytesOut: s.BytesOut}
		if l.via != nil {
			c.Via = l.via.target.Name
		}
		l.pool.mu.Lock()
		c.Used, c.LastUse, c.Persist = l.refs > 0, l.lastUse, l.persist
		l.pool.mu.Unlock()
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Kept) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// End closes the connections that match and returns how many those are. Whoever uses one loses it.
func (k *Keep) End(match func(name string) bool) (n int) {
	for _, l := range k.all() {
		if match(l.target.Name) {
			l.spoil()
			l.fail(errClosed)
			n++
		}
	}
	return n
}

func (k *Keep) all() (out []*link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, same := range k.links {
		out = append(out, same...)
	}
	return out
}
