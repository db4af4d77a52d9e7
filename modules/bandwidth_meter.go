package modules

import (
	"context"
	"encoding/binary"
	"sync"
	"time"
)

// maxDatagrams is how many numbers of datagrams are kept, in as many bits: 2 MiB.
const maxDatagrams = 1 << 24

// meter counts what arrives. What counts for the rate is what comes from and to these times after the first; a stall shows in
// it as long as it takes.
type meter struct {
	datagrams bool
	from, to  time.Duration

	mu          sync.Mutex
	first, last time.Time
	counted     int64 // bytes between from and to
	received    int   // datagrams
	seen        []uint64
}

// take is told of everything that comes, and answers nothing.
func (m *meter) take(b []byte) []byte {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.datagrams && !m.fresh(b) {
		return nil
	}
	if m.first.IsZero() {
		m.first = now
	}
	m.last = now
	if age := now.Sub(m.first); m.from <= age && age < m.to {
		m.counted += int64(len(b))
	}
	return nil
}

// fresh reports whether b is a datagram of ours that has not come before.
func (m *meter) fresh(b []byte) bool {
	if len(b) < 16 || string(b[:8]) != datagramMark {
		return false
	}
	n := binary.BigEndian.Uint64(b[8:])
	if n < maxDatagrams {
		for uint64(len(m.seen)) <= n/64 {
			m.seen = append(m.seen, 0)
		}
		if m.seen[n/64]&(1<<(n%64)) != 0 {
			return false
		}
		m.seen[n/64] |= 1 << (n % 64)
	}
	m.received++
	return true
}

// await waits until all datagrams are there, or none has come for so long.
func (m *meter) await(ctx context.Context, all int, quiet time.Duration) {
	for began := time.Now(); ctx.Err() == nil; sleep(ctx, 20*time.Millisecond) {
		m.mu.Lock()
		last, missing := m.last, m.received < all
		m.mu.Unlock()
		if !missing || time.Since(began) > quiet && time.Since(last) > quiet {
			return
		}
	}
}
