package transport

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var _ TTYStarter = (*localConn)(nil)

// StartTTY implements TTYStarter. The end of the input is that of the terminal, as there is no other on one in raw mode.
func (c *localConn) StartTTY(ctx context.Context, cmd string) (*Process, error) {
	if c.ctx.Err() != nil {
		return nil, fmt.Errorf("start command: %w", context.Cause(c.ctx))
	}
	master, slave, err := openTTY()
	if err != nil {
		return nil, fmt.Errorf("start command: open terminal: %w", err)
	}
	sh := exec.Command("/bin/sh", "-c", cmd)
	sh.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	sh.Stdin, sh.Stdout, sh.Stderr = slave, slave, slave
	err = sh.Start()
	_ = slave.Close()
	if err != nil {
		_ = master.Close()
		return nil, fmt.Errorf("start command: %w", err)
	}
	out, in := io.Pipe()
	r := NewResult()
	p := &Process{Stdin: &countWriter{master, &c.count.out, &c.count}, Stdout: out, stderr: &tail{}, wait: r.Wait}
	p.kill = func(cause error) {
		if r.Finish(-1, cause) {
			_ = in.CloseWithError(cause)
			_ = master.Close()
			killGroup(sh)
		}
	}
	stop := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	stopOwn := context.AfterFunc(c.ctx, func() { p.kill(context.Cause(c.ctx)) })
	said := make(chan struct{})
	go func() {
		_, _ = io.Copy(&countWriter{in, &c.count.in, &c.count}, master) // ends with EIO (pty(7)) when nobody has the terminal any more
		close(said)
	}()
	c.wg.Go(func() {
		status, err := localStatus(sh.Wait())
		select {
		case <-said:
		case <-time.After(time.Second): // a child left behind may hold it open
		}
		_ = in.Close()
		_ = master.Close()
		<-said
		r.Finish(status, err)
		stop()
		stopOwn()
	})
	return p, nil
}

// openTTY opens a terminal whose modes leave every byte as it is.
func openTTY() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = master.Close()
		}
	}()
	raw, err := master.SyscallConn() // Fd would make it one that cannot be closed while it is read
	if err != nil {
		return nil, nil, err
	}
	number := 0
	if ctl := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); ctl != nil {
		err = ctl
	}
	if err != nil {
		return nil, nil, fmt.Errorf("unlock: %w", err)
	}
	if slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	modes := &unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.B38400}
	modes.Cc[unix.VMIN] = 1
	if err = unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, modes); err != nil {
		_ = slave.Close()
		return nil, nil, fmt.Errorf("set modes: %w", err)
	}
	return master, slave, nil
}
