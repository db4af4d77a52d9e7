package linux

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Host is the machine this process runs on.
type Host struct {
	dir    string // where named namespaces are: /run/netns
	runDir string // where processes are on record: /run/labctl/processes

	mu      sync.Mutex
	self    *Net            // the namespace of the thread that called New
	selfErr error           // why there is none
	nets    map[string]*Net // by reference
	anon    *Net            // the scratch namespace, made when first asked for

	writes atomic.Int64 // requests to change something, successful or not

	kept   host.Kept
	nf     xtables
	files  files
	engine engine
	vs     vswitch

	packages packageCache

	session   sync.Once
	sessionIP string // found once
}

var (
	_ host.Host      = (*Host)(nil)
	_ host.Scratcher = (*Host)(nil)
)

// New returns the host as seen from the network namespace of the calling thread. Close releases what it holds.
func New() *Host {
	h := &Host{dir: "/run/netns", runDir: "/run/labctl/processes", nets: map[string]*Net{}}
	h.engine = engine{sockets: engineSockets, images: map[string]host.Image{}, paths: map[string]string{}}
	h.self, h.selfErr = h.openNet("", "/proc/thread-self/ns/net")
	return h
}

// Writes returns how often the host was asked to change network objects or sysctls.
func (h *Host) Writes() int { return int(h.writes.Load()) }

// Close closes every namespace that the host holds open. What lives in the scratch namespace goes with it.
func (h *Host) Close() error {
	h.kept.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for ref, n := range h.nets {
		errs = append(errs, n.close())
		delete(h.nets, ref)
	}
	for _, n := range []*Net{h.anon, h.self} {
		if n != nil {
			errs = append(errs, n.close())
		}
	}
	h.anon, h.self, h.selfErr = nil, nil, os.ErrClosed
	return errors.Join(errs...)
}

// Net is one network namespace, held open by a descriptor and a netlink socket.
type Net struct {
	h    *Host
	ref  string
	fd   int    // an open /proc/.../ns/net
	ino  uint64 // of the namespace in nsfs: its identity
	conn *rtnl.Conn

	known cache // addresses and routes as last read
	nf    dumps // iptables as last read
}

var (
	_ host.Net        = (*Net)(nil)
	_ host.Identifier = (*Net)(nil)
)

// ID tells the namespace from every other one of this kernel.
func (n *Net) ID() string { return fmt.Sprintf("net:[%d]", n.ino) }

func (n *Net) close() error {
	n.known.close()
	return errors.Join(n.conn.Close(), unix.Close(n.fd))
}

// openNet opens the namespace at path. ErrNoNetNS when path is not one.
func (h *Host) openNet(ref, path string) (*Net, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, noNetNS(ref, err)
	}
	n, err := h.adopt(ref, fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return n, nil
}

// adopt makes a Net of an open namespace descriptor.
func (h *Host) adopt(ref string, fd int) (*Net, error) {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, noNetNS(ref, err)
	}
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != unix.NSFS_MAGIC {
		return nil, noNetNS(ref, err) // an empty file: its namespace was deleted under it
	}
	n := &Net{h: h, ref: ref, fd: fd, ino: st.Ino}
	err := h.inNetNS(fd, func() (err error) {
		n.conn, err = rtnl.Open()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open netns %q: %w", ref, err)
	}
	n.conn.OnChange = func() { h.writes.Add(1) }
	return n, nil
}

func noNetNS(ref string, err error) error {
	return &host.Error{Op: "open netns", Object: fmt.Sprintf("%q", ref), Kind: host.ErrNoNetNS, Err: err}
}

// inNetNS runs fn on a thread that is in the namespace open as fd. Unless the caller's thread is in it already, that
// thread is thrown away afterwards, so fn must not keep anything bound to it.
func (h *Host) inNetNS(fd int, fn func() error) error {
	runtime.LockOSThread()
	if sameNetNS(fd, "/proc/thread-self/ns/net") {
		defer runtime.UnlockOSThread()
		return fn()
	}
	runtime.UnlockOSThread()
	return onThrowAwayThread(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter netns: %w", os.NewSyscallError("setns", err))
		}
		return fn()
	})
}

// onThrowAwayThread runs fn on an OS thread that the runtime ends with the goroutine, whatever namespaces fn put it in.
func onThrowAwayThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- fn()
	}()
	return <-done
}

func sameNetNS(fd int, path string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(path, &b) == nil && a.Ino == b.Ino && a.Dev == b.Dev
}
