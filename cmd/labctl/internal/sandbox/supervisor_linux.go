package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"labctl/cmd/labctl/internal/wholefile"
)

// request is what up and down ask of the supervisor, one per connection; closing the connection
// takes it back.
type request struct {
	Verb     string // apply, down
	Topology Topology
	Base     string // what guests boot from; empty if there are none
}

// reply is one line back: progress as it comes, then the end.
type reply struct {
	Line  string `json:",omitempty"`
	Done  bool   `json:",omitempty"`
	Error string `json:",omitempty"`
}

// lockFD is the caller's lock of the sandbox in a supervisor that is starting.
const lockFD = 3

// detach drops every file but the standard three and the lock, which the caller may have left open without
// close-on-exec, and starts the supervisor in place of this process.
func detach(dir string) error {
	if err := closeInherited(lockFD); err != nil {
		return err
	}
	env := []string{"PATH=" + os.Getenv("PATH")}
	return unix.Exec("/proc/self/exe", []string{"labctl", InitVerb, "supervise-detached", dir}, env)
}

// closeInherited keeps files that this process was started with out of those that it starts: Go's own are
// closed on exec anyway, and a pipe that a daemon holds never ends.
func closeInherited(keep ...int) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list open files: %w", err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 && !slices.Contains(keep, fd) {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// supervise holds a sandbox until it is told to end.
func supervise(dir string) error {
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	record, err := json.Marshal(self())
	if err != nil {
		return err
	}
	if err := wholefile.Write(wholefile.File{Path: filepath.Join(dir, pidFile), Content: record, Private: true}); err != nil {
		return err
	}
	s, err := newSupervisor(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, controlSock)
	// One left by a supervisor that was killed: while we hold the lock, no other can be starting.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen for commands: %w", err)
	}
	if err := unix.Close(lockFD); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	go func() {
		watch(ctx, path)
		stop()
	}()
	s.serve(ctx, l)
	return nil
}

// watch returns when the control socket has gone or is another's: whoever removed the directory by hand has
// left nobody who could end this sandbox.
func watch(ctx context.Context, path string) {
	mine, _ := os.Stat(path)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if now, err := os.Stat(path); err != nil || !os.SameFile(mine, now) {
				return
			}
		}
	}
}

// serve answers requests, one at a time, until one ends the sandbox.
func (s *supervisor) serve(ctx context.Context, l net.Listener) {
	defer l.Close()
	for {
		conn, err := l.Accept()
		if err != nil {
			s.down()
			return
		}
		if end := s.answer(ctx, conn); end {
			return
		}
	}
}

func (s *supervisor) answer(ctx context.Context, conn net.Conn) (end bool) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	var req request
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second)) // one that says nothing holds up the next
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &req)
	}
	if err != nil {
		return false
	}
	_ = conn.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = in.ReadByte() // ends with the client, or with conn.Close
		cancel(errors.New("interrupted"))
	}()
	out := &replies{enc: json.NewEncoder(conn)}
	switch req.Verb {
	case "apply":
		if err = s.useBase(req.Base); err == nil {
			err = s.apply(ctx, req.Topology, out.line)
		}
	case "down":
		s.down()
		end = true
	default:
		err = fmt.Errorf("unknown request %q", req.Verb)
	}
	last := reply{Done: true}
	if err != nil {
		last.Error = err.Error()
	}
	out.send(last)
	return end
}

// replies lets several goroutines report; a client that has gone is not missed.
type replies struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (r *replies) send(v reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.enc.Encode(v)
}

// line reports progress, to the log as well.
func (r *replies) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(os.Stderr, time.Now().Format(time.RFC3339), text)
	r.send(reply{Line: text})
}
