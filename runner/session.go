package runner

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"labctl/agent/wire"
)

// link is a started agent, however it was started. Stdin may be written before the agent has said anything.
type link struct {
	stdin  io.WriteCloser
	stdout io.Reader
	stderr func() string
	cost   func() *Cost
	pushed atomic.Bool // the agent had to be sent first
	close  func() error
	giveUp func() // has an agent not come that is not there yet, if that can be known; may be nil
}

// session is a conversation with one agent. Requests go out through send and flush; everything the agent says comes in
// through frames, which is closed when the agent is gone; then err tells why.
type session struct {
	link   *link
	out    []byte // queued by send
	frames chan *wire.Frame
	start  time.Time                  // when it began to be opened
	hello  atomic.Pointer[wire.Hello] // nil until the agent has spoken; set by who takes in the frames

	unseen atomic.Pointer[string] // planning: the first task that the model of the host does not know what has come of; nil: none

	turn     chan struct{} // who has put something into it, alone uses the session
	requests int           // sent so far: the last one's ID
	used     atomic.Bool   // something was sent
	epoch    int           // of requests, see package wire: raised with each turn, and when a failure is seen to

	mu  sync.Mutex
	err error
}

// sendBuffer is how much is gathered before it is written, in bytes: an SSH packet's worth.
const sendBuffer = 32 << 10

// receiveBuffer is for most frames; the bodies of those that are larger are read past it.
const receiveBuffer = 2 << 10

// newSession starts taking in what the agent says. The goroutine it starts ends when the link is closed.
func newSession(l *link, start time.Time) *session {
	s := &session{link: l, start: start, frames: make(chan *wire.Frame, 8), turn: make(chan struct{}, 1)}
	go s.receive()
	return s
}

func (s *session) receive() {
	defer close(s.frames)
	r := bufio.NewReaderSize(s.link.stdout, receiveBuffer)
	if err := skipToMagic(r); err != nil {
		s.fail(err)
		return
	}
	for {
		f, err := wire.Read(r)
		if err != nil {
			s.fail(err)
			return
		}
		if f.Hello != nil && f.Hello.Version != wire.Version {
			s.fail(fmt.Errorf("agent speaks protocol %d, this labctl %d: build both from one source", f.Hello.Version, wire.Version))
			return
		}
		s.frames <- f
	}
}

// maxNoise bounds what a login script may print before the agent speaks.
const maxNoise = 64 << 10

func skipToMagic(r *bufio.Reader) error {
	magic := []byte(wire.Magic)
	var seen []byte
	for len(seen) < maxNoise {
		b, err := r.ReadByte()
		if err != nil {
			if text := strings.TrimSpace(string(seen)); text != "" {
				return fmt.Errorf("agent did not start, the host said %q", text)
			}
			return err
		}
		seen = append(seen, b)
		if bytes.HasSuffix(seen, magic) {
			return nil
		}
	}
	return fmt.Errorf("agent did not start: the host printed %d bytes of something else", maxNoise)
}

func (s *session) fail(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the agent ended")
		if s.link.stderr != nil {
			if text := strings.TrimSpace(s.link.stderr()); text != "" {
				err = fmt.Errorf("the agent ended: %s", text)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// lost returns why the session ended.
func (s *session) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// send queues a frame; flush sends what is queued in as few writes as possible, and keeps no buffer until the next.
func (s *session) send(f *wire.Frame) error {
	s.used.Store(true)
	var err error
	if s.out, err = wire.Append(s.out, f); err != nil || len(s.out) < sendBuffer {
		return err
	}
	return s.flush()
}

func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	b := s.out
	s.out = nil
	_, err := s.link.stdin.Write(b)
	return err
}

// stop asks the agent to end what it is at, and to do no more.
func (s *session) stop() {
	if s.link.giveUp != nil {
		s.link.giveUp()
	}
	_ = s.send(&wire.Frame{Cancel: &wire.Cancel{}})
	_ = s.flush()
}

// close ends the session; the agent sees the end of its input. What it still says meanwhile is dropped.
func (s *session) close() error {
	silent := make(chan struct{})
	go func() {
		defer close(silent)
		for range s.frames { // until receive has ended
		}
	}()
	_ = s.flush()
	err := s.link.close()
	<-silent
	return err
}
