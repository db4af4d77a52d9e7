package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace of its own, with its loopback up. Only the descriptor holds it: nothing appears in
// /run/netns, and it is gone when it is closed and nothing runs in it.
type Namespace struct{ fd *os.File }

// NewNamespace creates a network namespace.
func NewNamespace() (*Namespace, error) {
	n := &Namespace{}
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("create network namespace: %w", err)
		}
		fd, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return fmt.Errorf("hold network namespace: %w", err)
		}
		n.fd = fd
		return linkUp("lo")
	})
	return n, err
}

// OpenNamespace takes hold of a namespace by its path, as in /run/netns or /proc.
func OpenNamespace(path string) (*Namespace, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("hold network namespace: %w", err)
	}
	return &Namespace{fd}, nil
}

// Close lets go of the namespace.
func (n *Namespace) Close() error { return n.fd.Close() }

// Do calls f on a thread that is in the namespace. Sockets and devices that f opens stay there.
func (n *Namespace) Do(f func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(n.fd.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// Run runs cmd in the namespace until it ends.
func (n *Namespace) Run(cmd *exec.Cmd) error {
	if err := n.Do(cmd.Start); err != nil {
		return err
	}
	return cmd.Wait()
}

// Listen opens a TCP listener in the namespace.
func (n *Namespace) Listen(address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
		return err
	})
	return l, err
}

// onOwnThread calls f on a thread that nobody uses afterwards: it is never unlocked, so it ends with the goroutine.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}
