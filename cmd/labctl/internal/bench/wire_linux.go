package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The addresses of the two ends of a wire, each in its own namespace.
const (
	NearAddress = "10.250.0.1"
	FarAddress  = "10.250.0.2"
)

// Wire is a long wire between two namespaces: a TUN device in each, and between them a queue in which every packet
// waits for half a round trip. Packets keep their order and none is lost; the bandwidth is what this process can copy.
// The kernel's own netem would do the same, where it is compiled in.
type Wire struct {
	Near, Far *Namespace
	oneWay    atomic.Int64 // ns
	ends      []*os.File
	pumps     sync.WaitGroup
}

// NewWire lays a wire with the given round-trip time from a new namespace to one that is there. The wire takes far
// over and closes it, also when it fails.
func NewWire(far *Namespace, rtt time.Duration) (w *Wire, err error) {
	w = &Wire{Far: far}
	w.SetRTT(rtt)
	if w.Near, err = NewNamespace(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	near, err := w.end(w.Near, NearAddress)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	there, err := w.end(w.Far, FarAddress)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.pumps.Go(func() { w.pump(near, there) })
	w.pumps.Go(func() { w.pump(there, near) })
	return w, nil
}

// SetRTT changes the length of the wire for packets that are sent from now on. It must not shrink while packets are
// under way, for they stay in order.
func (w *Wire) SetRTT(rtt time.Duration) { w.oneWay.Store(int64(rtt / 2)) }

// Close cuts the wire and lets go of both namespaces.
func (w *Wire) Close() (err error) {
	for _, f := range w.ends {
		err = errors.Join(err, f.Close())
	}
	w.pumps.Wait()
	for _, n := range []*Namespace{w.Near, w.Far} {
		if n != nil {
			err = errors.Join(err, n.Close())
		}
	}
	return err
}

// end makes a TUN device with the address in the namespace.
func (w *Wire) end(n *Namespace, address string) (f *os.File, err error) {
	err = n.Do(func() error {
		if f, err = openTUN("wire"); err != nil {
			return err
		}
		w.ends = append(w.ends, f)
		link, err := netlink.LinkByName("wire")
		if err != nil {
			return fmt.Errorf("find wire: %w", err)
		}
		addr, err := netlink.ParseAddr(address + "/30")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("add %s to wire: %w", address, err)
		}
		return linkUp("wire")
	})
	return f, err
}

// openTUN makes a TUN device that carries bare IP packets (Documentation/networking/tuntap.rst). It lives as long as
// the file.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("create TUN device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// packet is on its way until due.
type packet struct {
	due  time.Time
	data []byte
}

// pump carries packets from one end to the other until either is closed.
func (w *Wire) pump(from io.Reader, to io.Writer) {
	queue := make(chan packet, 1<<14) // as much as a wire of 250 ms holds of 2 MiB windows, and more
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(queue)
	writer.Go(func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.data) // a closed end is seen by the reader, a full one is a full one
		}
	})
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		queue <- packet{time.Now().Add(time.Duration(w.oneWay.Load())), append([]byte(nil), buf[:n]...)}
	}
}
