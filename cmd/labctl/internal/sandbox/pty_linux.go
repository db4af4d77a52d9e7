package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is a pseudo-terminal of the host. The caller's own would not do: its sessions belong to
// another pid namespace, so there would be no job control, and the host has no name for it.
type terminal struct {
	master, slave *os.File
	outer         *os.File // the caller's terminal
	restore       *term.State
	resized       chan os.Signal
	quit          [2]*os.File // a pipe: closing its far end ends the copy from outer
	copies        sync.WaitGroup
}

// openTerminal opens one in the mount namespace of the calling thread and puts the caller's terminal in raw
// mode until close.
func openTerminal(outer *os.File) (*terminal, error) {
	master, slave, err := openPTY()
	if err != nil {
		return nil, err
	}
	t := &terminal{master: master, slave: slave, outer: outer, resized: make(chan os.Signal, 1)}
	if t.quit[0], t.quit[1], err = os.Pipe(); err != nil {
		return nil, errors.Join(err, master.Close(), slave.Close())
	}
	if t.restore, err = term.MakeRaw(int(outer.Fd())); err != nil {
		return nil, errors.Join(fmt.Errorf("make terminal raw: %w", err), master.Close(), slave.Close())
	}
	t.resize()
	return t, nil
}

// openPTY opens a pair without going by name: pts(4), TIOCGPTPEER in ioctl_tty(2).
func openPTY() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	var peer uintptr
	if err == nil {
		var errno unix.Errno
		if peer, _, errno = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC); errno != 0 {
			err = errno
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	return os.NewFile(uintptr(fd), "ptmx"), os.NewFile(peer, "pts"), nil
}

// attach makes the pseudo-terminal the command's controlling terminal.
func (t *terminal) attach(cmd *exec.Cmd) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.slave, t.slave, t.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}

// start carries what is typed and shown, once the command runs.
func (t *terminal) start(out io.Writer) {
	t.slave.Close()
	signal.Notify(t.resized, syscall.SIGWINCH)
	t.copies.Go(func() {
		for range t.resized {
			t.resize()
		}
	})
	t.copies.Go(func() { _, _ = io.Copy(out, t.master) }) // ends with EIO when the last process has closed the slave
	t.copies.Go(t.typed)
}

// typed copies from the caller's terminal until the pipe closes.
func (t *terminal) typed() { copyTyped(t.master, t.outer, t.quit[0]) }

// copyTyped polls, because a read from a terminal cannot be taken back and would swallow the next key after the command has ended.
func copyTyped(to io.Writer, outer, quit *os.File) {
	buf := make([]byte, 4096)
	for {
		fds := []unix.PollFd{{Fd: int32(outer.Fd()), Events: unix.POLLIN}, {Fd: int32(quit.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		} else if err != nil || fds[1].Revents != 0 {
			return
		}
		n, err := outer.Read(buf)
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (t *terminal) resize() {
	if size, err := unix.IoctlGetWinsize(int(t.outer.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, size)
	}
}

// close ends the copies and gives the caller's terminal back as it was.
func (t *terminal) close() {
	signal.Stop(t.resized)
	close(t.resized)
	t.quit[1].Close()
	// Processes that the command left in the background may hold the slave open for ever.
	_ = t.master.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	t.slave.Close()
	t.copies.Wait()
	t.quit[0].Close()
	t.master.Close()
	_ = term.Restore(int(t.outer.Fd()), t.restore)
}
