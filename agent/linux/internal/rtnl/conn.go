// Package rtnl speaks rtnetlink(7): one socket bound to a namespace, messages, attributes, requests and dumps. It sends
// exactly the attributes it is given and returns what the kernel says, errno and extended acknowledgement text included.
// It knows nothing of hosts, links or routes.
package rtnl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Error is the kernel's refusal of a request.
type Error struct {
	Errno unix.Errno
	Text  string // NLMSGERR_ATTR_MSG, "" when the kernel gave none
}

func (e *Error) Error() string {
	if e.Text != "" {
		return e.Errno.Error() + ": " + e.Text
	}
	return e.Errno.Error()
}

func (e *Error) Unwrap() error { return e.Errno }

// ErrInterrupted says that a dump stayed inconsistent however often it was asked for again.
var ErrInterrupted = errors.New("dump interrupted by changes")

// Conn is a socket of one network namespace: the one its opening thread was in. It may be used from any thread.
type Conn struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	buf []byte

	// OnChange, optional, is called before each request that may change something.
	OnChange func()
}

// Open returns a socket in the namespace of the calling thread.
func Open() (*Conn, error) { return OpenProtocol(unix.NETLINK_ROUTE) }

// OpenProtocol is Open for another family of netlink(7).
func OpenProtocol(protocol int) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) // to the kernel, so that write sends to it
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("bind netlink socket: %w", err)
	}
	// Comfort only: kernels before 4.12 (ext ack) and 4.20 (strict dumps) work without.
	for _, opt := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, opt, 1)
	}
	// A dump of 32 KiB pieces must fit, whatever net.core.rmem_default says.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20)
	return &Conn{fd: fd, buf: make([]byte, 64<<10)}, nil
}

// Close closes the socket.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return nil
	}
	err := unix.Close(c.fd)
	c.fd = -1
	return err
}

// FD returns the descriptor, for ioctls that need a socket of the namespace.
func (c *Conn) FD() int { return c.fd }

// Do sends a request and waits for its acknowledgement.
func (c *Conn) Do(m *Message) error {
	_, err := c.exchange(m, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	return err
}

// batch is how many requests go out at once: their acknowledgements must fit the receive buffer, whatever its limit.
const batch = 64

// DoAll is Do for many requests, in few datagrams. It stops at the first that is refused, and says which; a few behind it
// may have been done.
func (c *Conn) DoAll(ms []*Message) (int, error) {
	for from := 0; from < len(ms); from += batch {
		if i, err := c.doSome(ms[from:min(from+batch, len(ms))]); err != nil {
			return from + i, err
		}
	}
	return 0, nil
}

func (c *Conn) doSome(ms []*Message) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return 0, fmt.Errorf("netlink socket: %w", unix.EBADF)
	}
	var b []byte
	first := c.seq + 1
	for _, m := range ms {
		if c.OnChange != nil {
			c.OnChange()
		}
		c.seq++
		b = append(b, m.bytes(unix.NLM_F_REQUEST|unix.NLM_F_ACK, c.seq)...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	if err := c.send(b); err != nil {
		return 0, err
	}
	at, fault := 0, error(nil)
	for done := 0; done < len(ms); {
		b, err := c.receive()
		if err != nil {
			return 0, err
		}
		for _, r := range appendMessages(nil, b) {
			i := int(r.Seq - first)
			if r.Type != unix.NLMSG_ERROR || i < 0 || i >= len(ms) {
				continue
			}
			done++
			if err := refusal(r.Data, r.Flags); err != nil && fault == nil {
				at, fault = i, err
			}
		}
	}
	return at, fault
}

// Echo sends a change and returns the notification that the kernel sends of it to listeners. Some questions are answered so
// too.
func (c *Conn) Echo(m *Message) ([]Reply, error) {
	return c.exchange(m, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_ECHO)
}

// Get sends a request that is answered by one message, and returns its payload.
func (c *Conn) Get(m *Message) ([]byte, error) {
	replies, err := c.exchange(m, unix.NLM_F_REQUEST)
	if err != nil {
		return nil, err
	}
	return replies[0].Data, nil
}

// Dump sends a dump request and returns every object. A dump that was interrupted by a change is asked for again.
func (c *Conn) Dump(ctx context.Context, m *Message) ([]Reply, error) {
	for try := range 12 {
		replies, err := c.exchange(m, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
		if !errors.Is(err, ErrInterrupted) && !errors.Is(err, unix.EINTR) {
			return replies, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond << min(try, 6)):
		}
	}
	return nil, ErrInterrupted
}

// exchange sends one message and collects what comes back until its acknowledgement or the end of the dump.
func (c *Conn) exchange(m *Message, flags uint16) ([]Reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return nil, fmt.Errorf("netlink socket: %w", unix.EBADF)
	}
	if c.OnChange != nil && flags&(unix.NLM_F_ACK|unix.NLM_F_ECHO) != 0 && m.Type&3 != 2 { // RTM_GET...
		c.OnChange()
	}
	c.seq++
	if err := c.send(m.bytes(flags, c.seq)); err != nil {
		return nil, err
	}
	var out []Reply
	interrupted := false
	for {
		b, err := c.receive()
		if err != nil {
			return nil, err
		}
		done, err := c.collect(b, &out, &interrupted)
		if err != nil {
			return nil, err
		}
		done = done || flags == unix.NLM_F_REQUEST && len(out) > 0
		if done && interrupted {
			return nil, ErrInterrupted
		}
		if done {
			return out, nil
		}
	}
}

func (c *Conn) send(b []byte) error {
	for {
		_, errno := call(unix.SYS_WRITE, c.fd, b)
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// call is write(2) or read(2) without word to the scheduler of goroutines. That takes a thread for lost that is in the kernel
// for 20 microseconds, and looks for such threads the more often the more it finds: of a thousand requests, half of all
// system calls were its own. The kernel has answered a request when write returns (netlink_unicast_kernel,
// net/netlink/af_netlink.c), so that read never waits.
func call(trap uintptr, fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

// receive reads one datagram. The result is valid until the next call.
func (c *Conn) receive() ([]byte, error) {
	for {
		n, errno := call(unix.SYS_READ, c.fd, c.buf)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN: // not rtnetlink: other families answer when they get to it
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, -1)
			continue
		case errno != 0:
			return nil, fmt.Errorf("receive from netlink: %w", errno)
		case n == len(c.buf):
			return nil, fmt.Errorf("receive from netlink: datagram of %d bytes or more", n)
		}
		return c.buf[:n], nil
	}
}
