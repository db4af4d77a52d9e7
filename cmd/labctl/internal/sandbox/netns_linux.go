package sandbox

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread runs fn on a thread that may be changed for good: nothing else ever runs there. The
// main thread is spared, because /proc/self shows that one's namespaces.
func onThread(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			err := onThread(fn)
			runtime.UnlockOSThread()
			result <- err
			return
		}
		result <- fn() // and the thread dies, still locked
	}()
	return <-result
}

// newNetns creates a network namespace that lives as long as the file is open, or a process in it.
func newNetns(setup func() error) (ns *os.File, err error) {
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("create network namespace: %w", err)
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		return setup()
	})
	if err != nil && ns != nil {
		ns.Close()
	}
	return ns, err
}

// inNetns runs fn in a network namespace; /proc/sys/net shows that namespace too.
func inNetns(ns *os.File, fn func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return fn()
	})
}

// sysctl writes a value below /proc/sys; a name that this kernel lacks is no fault.
func sysctl(name, value string) error {
	err := os.WriteFile("/proc/sys/"+name, []byte(value), 0)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}
