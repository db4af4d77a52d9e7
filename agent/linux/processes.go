package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"labctl/modules/codec"
	"labctl/modules/host"
	"labctl/modules/host/accounts"

	"golang.org/x/sys/unix"
)

// processes is host.Processes. What was started is on record in a file for each: the kernel could tell the arguments of a
// process, but not which of them somebody asked for.
type processes struct{ h *Host }

// Processes are those that live on when the agent has gone.
func (h *Host) Processes() host.Processes { return processes{h} }

// record is what is known of a process that was started. PID and Since (clock ticks since boot, proc_pid_stat(5)) tell it from
// another that has got the same number.
type record struct {
	host.Process
	Since uint64 `json:"since"`
}

func (p processes) path(name string) string { return filepath.Join(p.h.runDir, name+".json") }

func (p processes) List(ctx context.Context) ([]host.Process, error) {
	entries, err := os.ReadDir(p.h.runDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fileError("list", p.h.runDir, err)
	}
	out := []host.Process{}
	for _, e := range entries {
		one, err := p.Get(ctx, strings.TrimSuffix(e.Name(), ".json"))
		if errors.Is(err, host.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (p processes) Get(ctx context.Context, name string) (host.Process, error) {
	r, err := p.read(name)
	if err != nil {
		return host.Process{}, err
	}
	if n, err := p.h.net(r.NetNS); err != nil || !sameNetNS(n.fd, netnsOf(r.PID)) {
		r.NetNS = host.MovedNetNS
	}
	return r.Process, nil
}

// read returns the record of a process that runs.
func (p processes) read(name string) (*record, error) {
	b, err := os.ReadFile(p.path(name))
	if err != nil {
		return nil, fileError("read process", name, err)
	}
	r := new(record)
	if err := codec.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", p.path(name), err)
	}
	if since := started(r.PID); since == 0 || since != r.Since {
		return nil, fileError("find process", name, syscall.ESRCH)
	}
	return r, nil
}

// started returns when a process began, in clock ticks since boot; 0: it does not run any more.
func started(pid int) uint64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // the name before may hold anything
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return 0
	}
	n, _ := strconv.ParseUint(f[19], 10, 64)
	return n
}

func (p processes) Start(ctx context.Context, want host.Process) error {
	p.h.writes.Add(1)
	cmd, err := p.command(ctx, want)
	if err != nil {
		return err
	}
	var out *os.File
	if want.Stdout != "" {
		if out, err = os.OpenFile(want.Stdout, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
			return fileError("open", want.Stdout, err)
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
	}
	said := new(head)
	if want.Responder != nil { // it says why it ends, and nothing else ever
		cmd.Stderr = said
	}
	if err := (commands{p.h}).start(ctx, cmd, host.Exec{Argv: cmd.Args, NetNS: want.NetNS}); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // or it would remain as a zombie while the agent lives
	select {
	case err := <-ended:
		return endedAtOnce(want, err, said.bytes())
	case <-time.After(100 * time.Millisecond):
	}
	want.PID = cmd.Process.Pid
	return p.write(record{want, started(want.PID)})
}

// command is a session of its own: no terminal's or SSH connection's end reaches it.
func (p processes) command(ctx context.Context, want host.Process) (*exec.Cmd, error) {
	e := host.Exec{Argv: want.Argv, Dir: want.Dir}
	if want.Responder != nil {
		b, err := codec.Marshal(want.Responder)
		if err != nil {
			return nil, err
		}
		e.Argv, e.Env = []string{"/proc/self/exe", "agent", host.RespondArgument}, []string{respondVariable + "=" + string(b)}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Env)) {
		e.Env = append(e.Env, name+"="+want.Env[name])
	}
	cmd, err := command(context.WithoutCancel(ctx), e)
	if err != nil {
		return nil, err
	}
	cmd.Cancel, cmd.SysProcAttr = nil, &syscall.SysProcAttr{Setsid: true}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	if want.User != "" {
		cmd.SysProcAttr.Credential, err = p.credential(ctx, want.User)
	}
	return cmd, err
}

// credential is what login(1) would give a user.
func (p processes) credential(ctx context.Context, user string) (*syscall.Credential, error) {
	entry, err := accounts.User(ctx, p.h.Files(), user)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		return nil, fmt.Errorf("user %s: %w", user, host.ErrNotExist)
	}
	groups, err := accounts.Read(ctx, p.h.Files(), accounts.Groups, 4)
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uint32(accounts.Number(entry, 2)), Gid: uint32(accounts.Number(entry, 3))}
	for _, g := range groups {
		if slices.Contains(accounts.List(g[3]), entry[0]) {
			c.Groups = append(c.Groups, uint32(accounts.Number(g, 2)))
		}
	}
	return c, nil
}

func endedAtOnce(p host.Process, err error, said []byte) error {
	if err == nil {
		err = errors.New("exit status 0")
	}
	if p.Stdout != "" {
		said, _ = os.ReadFile(p.Stdout) // then there is nothing to quote
	}
	if text := strings.TrimSpace(string(said[max(0, len(said)-1000):])); text != "" {
		return fmt.Errorf("process %s: ended at once: %w: %s", p.Name, err, text)
	}
	return fmt.Errorf("process %s: ended at once: %w", p.Name, err)
}

func (p processes) write(r record) error {
	b, err := codec.Marshal(r)
	if err == nil {
		err = os.MkdirAll(p.h.runDir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(p.path(r.Name), b, 0o600)
	}
	if err == nil && r.PIDFile != "" {
		err = os.WriteFile(r.PIDFile, []byte(strconv.Itoa(r.PID)+"\n"), 0o644)
	}
	if err != nil {
		_ = unix.Kill(-r.PID, unix.SIGKILL) // nobody would know of it
		return fileError("record process", r.Name, err)
	}
	return nil
}

func (p processes) Stop(ctx context.Context, name string) error {
	r, err := p.read(name)
	if err != nil {
		return err
	}
	p.h.writes.Add(1)
	_ = unix.Kill(-r.PID, unix.SIGTERM)
	for start := time.Now(); started(r.PID) == r.Since; time.Sleep(5 * time.Millisecond) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(start) > 10*time.Second:
			_ = unix.Kill(-r.PID, unix.SIGKILL)
		}
	}
	_ = unix.Kill(-r.PID, unix.SIGKILL) // what has outlived it
	if r.PIDFile != "" {
		_ = os.Remove(r.PIDFile) // it may be gone already
	}
	return fileError("remove", p.path(name), os.Remove(p.path(name)))
}
