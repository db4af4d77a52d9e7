package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// relay lets this computer in to one host: it listens on a loopback port here and passes each
// connection on from the outside namespace, where the host sees it come from.
type relay struct {
	target   netip.AddrPort
	device   string // in the outside namespace
	outside  *os.File
	listener net.Listener
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// dialTimeout bounds a connection to a host that drops packets: its client has given up before.
const dialTimeout = 2 * time.Minute

// listen prefers the port that the relay had before, if it is not 0.
func (r *relay) listen(port int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil && port != 0 {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	r.listener = l
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	r.done.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			r.done.Go(func() { r.pass(ctx, client.(*net.TCPConn)) })
		}
	})
	return nil
}

// close ends the listener and every connection.
func (r *relay) close() {
	r.stop()
	r.listener.Close()
	r.done.Wait()
}

// pass carries one connection, each direction until its own end.
func (r *relay) pass(ctx context.Context, client *net.TCPConn) {
	defer client.Close()
	host, err := r.dial(ctx)
	if err != nil {
		_ = client.SetLinger(0) // reset: the nearest to a refusal that is left
		return
	}
	defer host.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); host.Close() })()
	var up sync.WaitGroup
	up.Go(func() { carry(host, client) })
	carry(client, host)
	up.Wait()
}

// carry passes on one direction. What breaks it breaks the other one as well, or is the end of it.
func carry(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}

// dial connects from the outside namespace. Only the socket must be made there; it stays there.
func (r *relay) dial(ctx context.Context) (*net.TCPConn, error) {
	var file *os.File
	err := inNetns(r.outside, func() (err error) {
		file, err = r.connect()
		return err
	})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	defer context.AfterFunc(ctx, func() { file.Close() })()
	if err := connected(file); err != nil {
		return nil, err
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// connect begins a connection.
func (r *relay) connect() (*os.File, error) {
	family := unix.AF_INET
	if r.target.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = unix.BindToDevice(fd, r.device)
	if err == nil {
		err = ignore(unix.Connect(fd, r.sockaddr()), unix.EINPROGRESS)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "relay"), nil
}

// connected waits until the connection stands, as connect(2) says under EINPROGRESS.
func connected(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	if err := file.SetWriteDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	var failure error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || code != 0 {
			failure = cmp.Or(err, error(unix.Errno(code)))
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	return cmp.Or(err, failure)
}

func (r *relay) sockaddr() unix.Sockaddr {
	if r.target.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(r.target.Port()), Addr: r.target.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(r.target.Port()), Addr: r.target.Addr().As4()}
}
