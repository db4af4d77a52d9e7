//go:build unix

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// dialByFdpass has the proxy command make the connection, and pass it on by its standard output, which is a socket, before it ends
// (ssh_config(5), ProxyUseFdpass; mm_send_fd in OpenSSH's monitor_fdpass.c).
func dialByFdpass(ctx context.Context, t *Target, pool *Pool) (net.Conn, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("start proxy command: %w", err)
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	theirs := os.NewFile(uintptr(pair[1]), "proxy command")
	ours, err := asConn(pair[0])
	if err != nil {
		_ = theirs.Close()
		return nil, fmt.Errorf("start proxy command: %w", err)
	}
	defer ours.Close()
	cmd, stderr := proxyCommand(t, pool)
	cmd.Stdin, cmd.Stdout = theirs, theirs
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", programOf(t.ProxyCommand), err)
	}
	defer context.AfterFunc(ctx, func() {
		_ = ours.Close()
		killGroup(cmd)
	})()
	fd, err := passedFd(ours)
	if err != nil {
		killGroup(cmd)
	}
	ended := cmd.Wait()
	if err == nil {
		return asConn(fd)
	}
	e := &ProxyError{Program: programOf(t.ProxyCommand), Err: causeOf(ctx, err), Stderr: lastLines(stderr.String(), 5)}
	if ctx.Err() == nil && ended != nil {
		e.Err = fmt.Errorf("%w, and ended: %w", err, ended)
	}
	return nil, e
}

// asConn takes a file descriptor over.
func asConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "passed on")
	defer f.Close() // FileConn has made one of its own
	return net.FileConn(f)
}

var errNoFd = errors.New("it has passed on no connection, which ProxyUseFdpass has it do")

func passedFd(from net.Conn) (int, error) {
	rights := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := from.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), rights)
	if err != nil || n == 0 {
		return 0, errNoFd
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return 0, errNoFd
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return 0, errNoFd
	}
	syscall.CloseOnExec(fds[0])
	return fds[0], nil
}
