package transport

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"time"
)

// flow is the byte stream under one SSH connection. It counts, and remembers
// what the server said before its version line: sshd explains a refusal there
// ("Exceeded MaxStartups", "Not allowed at this time").
type flow struct {
	net.Conn
	quickAck func() // nil unless TCP

	mu        sync.Mutex
	in, out   int64
	turns     int
	rtt       time.Duration
	wrote     bool // since the last read that brought data
	lastWrite time.Time
	lastRead  time.Time
	preamble  []byte
	sawSSH    bool
}

func newFlow(c net.Conn) *flow {
	f := &flow{Conn: c, turns: 1}
	if tcp, ok := c.(*net.TCPConn); ok {
		f.quickAck = quickAck(tcp)
	}
	return f
}

// Read also asks the kernel to acknowledge at once: sshd leaves Nagle's
// algorithm on until a session starts, and with our delayed ACK its second
// small packet after authentication waits 40 ms.
func (f *flow) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if n > 0 {
		f.account(p[:n])
		if f.quickAck != nil {
			f.quickAck()
		}
	}
	return n, err
}

func (f *flow) account(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in += int64(len(p))
	f.lastRead = time.Now().Round(0) // by the clock on the wall, which goes on while the computer sleeps
	if f.wrote {
		f.wrote = false
		f.turns++
		if d := time.Since(f.lastWrite); f.rtt == 0 || d < f.rtt {
			f.rtt = d
		}
	}
	if !f.sawSSH && len(f.preamble) < 1024 {
		f.preamble = append(f.preamble, p...)
		f.sawSSH = bytes.Contains(f.preamble, []byte("SSH-"))
	}
}

func (f *flow) Write(p []byte) (int, error) {
	f.mu.Lock()
	f.wrote, f.lastWrite = true, time.Now()
	f.mu.Unlock()
	n, err := f.Conn.Write(p)
	f.mu.Lock()
	f.out += int64(n)
	f.mu.Unlock()
	return n, err
}

// refusal reports whether the server has not identified itself yet, and what
// it said in place of that.
func (f *flow) refusal() (silent bool, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.sawSSH, strings.TrimSpace(string(f.preamble))
}

// heard is when the far side last said something.
func (f *flow) heard() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lastRead
}

// settle is stats, after which what is still on its way here counts for no turn.
func (f *flow) settle() Stats {
	f.mu.Lock()
	f.wrote = false
	f.mu.Unlock()
	return f.stats()
}

func (f *flow) stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Stats{BytesIn: f.in, BytesOut: f.out, RoundTrips: f.turns, RTT: f.rtt}
}
