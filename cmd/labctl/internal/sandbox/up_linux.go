package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Up makes the sandbox t.Name under dir what t says, and returns its state. It starts what is missing,
// starts dead hosts anew, mends management interfaces, removes what is no longer in t, and leaves the rest
// alone. When ctx ends it stops there; another Up goes on and Down cleans up, whatever was killed.
func Up(ctx context.Context, dir string, t Topology, o Options) (*State, error) {
	if err := errors.Join(t.Validate(), Check()); err != nil {
		return nil, err
	}
	if _, err := newPlan(t, nil); err != nil {
		return nil, err
	}
	t, base, err := chooseKernels(ctx, t, o)
	if err != nil {
		return nil, err
	}
	own := filepath.Join(dir, t.Name)
	locked, err := claim(ctx, own)
	if err != nil {
		return nil, err
	}
	defer locked.Close()
	conn, err := dialOrStart(ctx, own, locked)
	if err != nil {
		return nil, err
	}
	changed, err := ask(ctx, conn, request{Verb: "apply", Topology: t, Base: base}, o.Log)
	if err != nil {
		return nil, fmt.Errorf("sandbox %q: %w", t.Name, err)
	}
	s, err := Load(dir, t.Name)
	if err != nil {
		return nil, err
	}
	s.Changed = changed
	return s, shareWith(s)
}

// Down removes the sandbox: processes, namespaces, links, files. The error wraps ErrNotUp if there is none.
func Down(ctx context.Context, dir, name string) error {
	own := filepath.Join(dir, name)
	if _, err := os.Stat(own); !validName.MatchString(name) || os.IsNotExist(err) {
		return fmt.Errorf("sandbox %q: %w", name, ErrNotUp)
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	locked, err := lock(ctx, own)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sandbox %q: %w", name, ErrNotUp) // another Down was faster
	}
	if err != nil {
		return err
	}
	defer locked.Close()
	s, _ := Load(dir, name)
	if conn, err := dial(own); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		_, _ = ask(ctx, conn, request{Verb: "down"}, nil) // what it cannot end is killed below
		cancel()
	}
	if err := reapSupervisor(own); err != nil {
		return err
	}
	if s != nil {
		for _, h := range s.Hosts {
			if err := (process{h.InitPID, h.InitStart}).kill(10 * time.Second); err != nil {
				return fmt.Errorf("end host %q: %w", h.Name, err)
			}
		}
	}
	if err := os.RemoveAll(own); err != nil {
		return fmt.Errorf("remove sandbox %q: %w", name, err)
	}
	_ = os.Remove(dir) // if it was the last
	return nil
}

// reapSupervisor makes sure that the supervisor on record has ended.
func reapSupervisor(own string) error {
	p := onRecord(own)
	if p.wait(100*time.Millisecond) == nil {
		return nil
	}
	return p.kill(10 * time.Second)
}

// onRecord is the supervisor that was started last, nobody if none was.
func onRecord(own string) (p process) {
	text, err := os.ReadFile(filepath.Join(own, pidFile))
	if err != nil || json.Unmarshal(text, &p) != nil {
		return process{}
	}
	return p
}

// claim makes the directory of a sandbox and locks it, again if a Down removes it in between.
func claim(ctx context.Context, own string) (locked *os.File, err error) {
	for {
		if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
			return nil, fmt.Errorf("create sandbox: %w", err)
		}
		if err := os.Mkdir(own, 0o700); err != nil && !os.IsExist(err) && !os.IsNotExist(err) {
			return nil, fmt.Errorf("create sandbox: %w", err)
		}
		if locked, err = lock(ctx, own); !errors.Is(err, os.ErrNotExist) {
			return locked, err
		}
	}
}

// lock keeps two Ups or Downs of one sandbox apart, until the file is closed or the process ends. The error wraps
// os.ErrNotExist if the directory went while another had it.
func lock(ctx context.Context, own string) (*os.File, error) {
	f, err := os.Open(own)
	if err != nil {
		return nil, fmt.Errorf("lock sandbox: %w", err)
	}
	if err = flock(ctx, f); err == nil {
		mine, _ := f.Stat()
		var now os.FileInfo
		if now, err = os.Stat(own); err == nil && os.SameFile(mine, now) {
			return f, nil
		}
		err = os.ErrNotExist
	}
	f.Close()
	return nil, fmt.Errorf("lock sandbox: %w", err)
}

func flock(ctx context.Context, f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another labctl: %w", context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func dial(own string) (net.Conn, error) { return net.Dial("unix", filepath.Join(own, controlSock)) }

// dialOrStart connects to the supervisor, and starts it if there is none. The supervisor shares the lock until it can
// be found, so that an Up killed in between leaves nothing that the next one does not see.
func dialOrStart(ctx context.Context, own string, locked *os.File) (net.Conn, error) {
	if conn, err := dial(own); err == nil && onRecord(own).alive() {
		return conn, nil
	} else if err == nil {
		conn.Close() // one that is dying still takes connections
	}
	if err := reapSupervisor(own); err != nil {
		return nil, fmt.Errorf("end stuck supervisor: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(own, logFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"labctl", InitVerb, "supervise", own}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{locked} // lockFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	started := named(cmd.Process.Pid)
	ended := make(chan struct{})
	go func() { // it outlives us, or ends while we are still there to reap it
		_ = cmd.Wait()
		close(ended)
	}()
	for {
		if conn, err := dial(own); err == nil {
			return conn, nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("start supervisor: %s", strings.TrimPrefix(string(bytes.TrimSpace(text)), "labctl: "))
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), started.kill(10*time.Second))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// ask sends a request and collects the answer; the lines it reports on the way go to log as well.
func ask(ctx context.Context, conn net.Conn, req request, log func(string)) (lines []string, err error) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return nil, fmt.Errorf("ask supervisor: %w", err)
	}
	in := json.NewDecoder(conn)
	for {
		var r reply
		if err := in.Decode(&r); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return lines, fmt.Errorf("ask supervisor: %w", err)
		}
		if r.Done {
			if r.Error != "" {
				err = errors.New(r.Error)
			}
			return lines, err
		}
		lines = append(lines, r.Line)
		if log != nil {
			log(r.Line)
		}
	}
}
