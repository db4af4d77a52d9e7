package persist

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"

	"labctl/transport"
)

// request is the first line of a connection.
type request struct {
	Op      string            // run, dial, forgive, stats, start, subsystem, forward, list, close
	Run     string            `json:",omitempty"` // who asks; empty for run, list, close
	Hold    string            `json:",omitempty"` // of which connection, from stats to forward
	Target  *transport.Target `json:",omitempty"` // dial, forgive
	Fresh   bool              `json:",omitempty"` // dial
	Ask     bool              `json:",omitempty"` // run: there is somebody to ask
	TTY     bool              `json:",omitempty"` // start: on a terminal
	Gated   bool              `json:",omitempty"` // start: the command waits for a line of the client's
	Text    string            `json:",omitempty"` // start: the command; forward: the address; subsystem: its name
	Pattern []string          `json:",omitempty"` // close
}

// line is what follows a request, in either direction.
type line struct {
	Heard    bool                `json:",omitempty"` // the first answer to everything: the server is not stuck
	Name     string              `json:",omitempty"` // of the run or the connection there is now
	Log      string              `json:",omitempty"`
	ID       int                 `json:",omitempty"` // of a question and its answers
	Question *transport.Question `json:",omitempty"`
	Answers  []string            `json:",omitempty"`
	Over     bool                `json:",omitempty"` // nobody waits for the answers any more
	Stats    *transport.Stats    `json:",omitempty"`
	List     []transport.Kept    `json:",omitempty"`
	Count    int                 `json:",omitempty"`
	Err      *fault              `json:",omitempty"`
}

// channel is a connection to the socket.
type channel struct {
	net.Conn
	r  *bufio.Reader
	mu sync.Mutex // of writers
}

func newChannel(c net.Conn) *channel { return &channel{Conn: c, r: bufio.NewReader(c)} }

// CloseWrite ends one direction.
func (c *channel) CloseWrite() error { return c.Conn.(*net.UnixConn).CloseWrite() }

func (c *channel) Read(p []byte) (int, error) { return c.r.Read(p) }

func (c *channel) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.Write(append(b, '\n'))
	return err
}

func (c *channel) receive(v any) error {
	b, err := c.r.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// The kinds of frames of a command.
const (
	frameInput  = 'i' // standard input; empty: its end
	frameOutput = 'o'
	frameErrors = 'e' // standard error
	frameEOF    = 'c' // the end of the output; a fault, or nothing
	frameExit   = 's' // exit
)

const maxFrame = 32 << 10

// exit is how a command ended.
type exit struct {
	Status int
	Err    *fault `json:",omitempty"`
}

func (c *channel) frame(kind byte, p []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(p)))
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Write(append(head, p...))
	return err
}

func (c *channel) next(buf []byte) (kind byte, p []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if int(n) > len(buf) {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	_, err = io.ReadFull(c.r, buf[:n])
	return head[0], buf[:n], err
}

// frames writes frames of one kind.
type frames struct {
	c    *channel
	kind byte
}

func (f frames) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), maxFrame)]
		if err := f.c.frame(f.kind, part); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, nil
}
