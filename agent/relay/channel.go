package relay

import (
	"fmt"
	"io"
	"sync"

	"labctl/modules/host"
)

// ownWindow is how much may be under way to one connection, in bytes: 20 MB/s over 100 ms.
const ownWindow = 2 << 20

// portion is what is read of a connection at once.
const portion = 32 << 10

// channel is one connection. Two goroutines carry it, one each way; packet only leaves them work, so that a connection that
// takes nothing holds up no other.
type channel struct {
	s        *server
	id, peer uint32 // by our number, and by theirs
	limit    int    // of one packet to the peer

	mu      sync.Mutex
	changed sync.Cond
	conn    host.Stream
	window  uint64 // what may be sent to the peer
	credit  int    // what the peer may send
	queued  []byte // for the connection
	inEOF   bool   // no more will be queued
	half    int    // directions that have ended
	closing bool   // we have said so, or end without
}

func newChannel(s *server, peer, window, limit uint32) *channel {
	c := &channel{s: s, peer: peer, window: uint64(window), limit: int(min(limit, portion)), credit: ownWindow}
	c.changed.L = &c.mu
	return c
}

// begin confirms the channel and carries the connection.
func (c *channel) begin(conn host.Stream) {
	c.conn = conn
	c.s.add(c)
	c.s.out.packet(msgOpenConfirm, u32(c.peer), u32(c.id), u32(ownWindow), u32(portion))
	c.s.wg.Go(c.inwards)
	c.s.wg.Go(c.outwards)
	if c.s.ctx.Err() != nil { // end has not seen it
		c.abort()
	}
}

// packet takes in a message for the channel.
func (c *channel) packet(kind byte, r *reader) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed.Broadcast()
	switch kind {
	case msgWindowAdjust:
		c.window += uint64(r.u32())
	case msgData:
		data := r.bytes()
		if c.credit -= len(data); c.credit < 0 || c.inEOF {
			return fmt.Errorf("relay: more data than channel %d takes, or data behind its end", c.id)
		}
		if !c.closing {
			c.queued = append(c.queued, data...)
		}
	case msgEOF:
		c.inEOF = true
	case msgClose:
		c.closeLocked()
		c.s.remove(c)
	case msgRequest:
		if _, reply := r.text(), r.flag(); reply {
			c.s.out.packet(msgFailure, u32(c.peer))
		}
	}
	return r.fault(kind)
}

// inwards passes on to the connection what the peer has sent.
func (c *channel) inwards() {
	var spare []byte
	for {
		c.mu.Lock()
		for len(c.queued) == 0 && !c.inEOF && !c.closing {
			c.changed.Wait()
		}
		data, over := c.queued, c.closing
		c.queued = spare[:0]
		c.mu.Unlock()
		switch {
		case over:
			return
		case len(data) == 0: // the end, behind all data
			_ = c.conn.CloseWrite()
			c.ended(nil)
			return
		}
		if _, err := c.conn.Write(data); err != nil {
			c.ended(err)
			return
		}
		c.taken(len(data))
		if spare = data; cap(spare) > portion { // what was much is rarely so
			spare = nil
		}
	}
}

// taken lets the peer send as much again.
func (c *channel) taken(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.credit += n; !c.closing {
		c.s.out.packet(msgWindowAdjust, u32(c.peer), u32(uint32(n)))
	}
}

// outwards sends the peer what comes from the connection.
func (c *channel) outwards() {
	buf := make([]byte, c.limit)
	for {
		c.mu.Lock()
		for c.window == 0 && !c.closing {
			c.changed.Wait()
		}
		n := int(min(c.window, uint64(len(buf))))
		c.mu.Unlock()
		c.s.out.room()
		n, err := c.conn.Read(buf[:n])
		c.mu.Lock()
		if c.closing {
			c.mu.Unlock()
			return
		}
		if n > 0 {
			c.window -= uint64(n)
			c.s.out.packet(msgData, u32(c.peer), u32(uint32(n)), buf[:n])
		}
		if err == io.EOF {
			c.s.out.packet(msgEOF, u32(c.peer))
		}
		c.mu.Unlock()
		if err == io.EOF {
			err = nil
		} else if err == nil {
			continue
		}
		c.ended(err)
		return
	}
}

// ended counts a direction that has ended. The second, or an error, closes the channel.
func (c *channel) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.half++; c.half == 2 || err != nil {
		c.closeLocked()
	}
}

// closeLocked says that nothing more will come.
func (c *channel) closeLocked() {
	if !c.closing {
		c.closing = true
		c.s.out.packet(msgClose, u32(c.peer))
	}
	c.queued = nil
	_ = c.conn.Close()
	c.changed.Broadcast()
}

// abort ends the connection when there is nobody to tell.
func (c *channel) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	_ = c.conn.Close()
	c.changed.Broadcast()
}
