// Package ovsdb speaks the Open vSwitch Database Management Protocol (RFC 7047) over a Unix socket, as much of it as one
// transaction at a time takes. It knows nothing of tables, and does without package net, which the agent does not link.
package ovsdb

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"labctl/modules/codec"

	"golang.org/x/sys/unix"
)

// Conn is a connection to a database server. Not for use by several goroutines.
type Conn struct {
	fd   int
	in   []byte // received and not yet read
	next int    // ID of the next request
}

// Op is one operation of a transaction (RFC 7047 section 5.2).
type Op map[string]any

// Result is what came of one operation.
type Result struct {
	Rows    []map[string]any `json:"rows"`
	Count   int              `json:"count"`
	Error   string           `json:"error"`
	Details string           `json:"details"`
}

// Error is an operation that was refused; the whole transaction was.
type Error struct{ Code, Details string }

func (e *Error) Error() string {
	if e.Details != "" {
		return e.Details
	}
	return e.Code
}

// TimedOut is the code of a wait that was in vain.
const TimedOut = "timed out"

// Dial connects to the socket at path.
func Dial(path string) (*Conn, error) {
	dir, err := os.Open(filepath.Dir(path)) // an address has room for 107 bytes only (unix(7))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	name := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "connect to", Path: path, Err: err}
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &Conn{fd: fd}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// message is a request or a reply (RFC 7047 section 4).
type message struct {
	ID     any             `json:"id"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  any             `json:"error"`
}

// Transact runs one transaction on the database called db. Results are those of the operations; a refused one is an *Error.
func (c *Conn) Transact(ctx context.Context, db string, ops ...Op) ([]Result, error) {
	params := []any{db}
	for _, o := range ops {
		params = append(params, map[string]any(o))
	}
	c.next++
	request := map[string]any{"id": c.next, "method": "transact", "params": params}
	if err := c.send(ctx, request); err != nil {
		return nil, err
	}
	for {
		m, err := c.receive(ctx)
		switch {
		case err != nil:
			return nil, err
		case m.Method == "echo":
			if err := c.send(ctx, map[string]any{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
				return nil, err
			}
		case m.Method != "" || m.ID != float64(c.next):
		case m.Error != nil:
			return nil, &Error{Code: fmt.Sprint(m.Error)}
		default:
			return results(m.Result)
		}
	}
}

func results(data json.RawMessage) ([]Result, error) {
	var out []Result
	if err := codec.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	for _, r := range out {
		if r.Error != "" {
			return nil, &Error{Code: r.Error, Details: r.Details}
		}
	}
	return out, nil
}

func (c *Conn) send(ctx context.Context, v any) error {
	b, err := codec.Marshal(v)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		if err := c.ready(ctx, unix.POLLOUT); err != nil {
			return err
		}
		n, err := unix.Write(c.fd, b)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return os.NewSyscallError("write", err)
		}
		b = b[max(n, 0):]
	}
	return nil
}

// ready waits until the socket can be read or written, or ctx ends.
func (c *Conn) ready(ctx context.Context, events int16) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: events}}, 50)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case n > 0:
			return nil
		case err != nil && err != unix.EINTR:
			return os.NewSyscallError("poll", err)
		}
	}
}

// receive reads one message. JSON values follow each other with nothing between.
func (c *Conn) receive(ctx context.Context) (m message, err error) {
	var s scanner
	for at := 0; ; {
		for ; at < len(c.in); at++ {
			if s.ends(c.in[at]) {
				err = codec.Unmarshal(c.in[:at+1], &m)
				c.in = append([]byte(nil), c.in[at+1:]...)
				return m, err
			}
		}
		if err := c.fill(ctx); err != nil {
			return m, err
		}
	}
}

func (c *Conn) fill(ctx context.Context) error {
	if err := c.ready(ctx, unix.POLLIN); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	n, err := unix.Read(c.fd, buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	case n == 0:
		return fmt.Errorf("the database server closed the connection")
	}
	c.in = append(c.in, buf[:n]...)
	return nil
}

// scanner finds the end of a JSON object.
type scanner struct {
	depth        int
	text, escape bool
}

// ends reports whether b is the last byte of the object.
func (s *scanner) ends(b byte) bool {
	switch {
	case s.escape:
		s.escape = false
	case s.text && b == '\\':
		s.escape = true
	case b == '"':
		s.text = !s.text
	case s.text:
	case b == '{' || b == '[':
		s.depth++
	case b == '}' || b == ']':
		s.depth--
		return s.depth == 0
	}
	return false
}
