package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Reboot reboots hosts of a sandbox, side by side, and returns when they are up again. A guest reboots as any machine does and
// keeps its disk. A host that shares this computer's kernel starts anew instead, with nothing of what was in it.
func Reboot(ctx context.Context, dir, name string, hosts []string, log func(string)) error {
	s, err := Load(dir, name)
	if err != nil {
		return err
	}
	var guests, shared []HostState
	for _, n := range hosts {
		h, err := s.Host(n)
		if err != nil {
			return err
		}
		if h.Kernel == KernelGuest {
			guests = append(guests, h)
		} else {
			shared = append(shared, h)
		}
	}
	if err := s.startAnew(ctx, shared, log); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, h := range guests {
		group.Go(func() error {
			if err := s.rebootGuest(ctx, h); err != nil {
				return fmt.Errorf("reboot host %q: %w", h.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// startAnew ends hosts and has the supervisor find them dead.
func (s *State) startAnew(ctx context.Context, hosts []HostState, log func(string)) error {
	if len(hosts) == 0 {
		return nil
	}
	locked, err := lock(ctx, s.Dir)
	if err != nil {
		return err
	}
	defer locked.Close()
	conn, err := dial(s.Dir)
	if err != nil {
		return fmt.Errorf("sandbox %q is not running: bring it up again: %w", s.Name, err)
	}
	for _, h := range hosts {
		if err := (process{h.InitPID, h.InitStart}).kill(10 * time.Second); err != nil {
			conn.Close()
			return fmt.Errorf("end host %q: %w", h.Name, err)
		}
	}
	if _, err := ask(ctx, conn, request{Verb: "apply", Topology: s.Topology}, log); err != nil {
		return fmt.Errorf("sandbox %q: %w", s.Name, err)
	}
	now, err := Load(filepath.Dir(s.Dir), s.Name)
	if err != nil {
		return err
	}
	return shareWith(now)
}

// rebootGuest asks systemd for it, and waits for a boot that is another one and complete.
func (s *State) rebootGuest(ctx context.Context, h HostState) error {
	ctx, cancel := context.WithTimeoutCause(ctx, guestTimeout, fmt.Errorf("it is not back after %s", guestTimeout))
	defer cancel()
	before, err := askGuest(ctx, h, "cat", "/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	if _, err := askGuest(ctx, h, "systemctl", "reboot", "--no-block"); err != nil {
		return err
	}
	for {
		now, err := askGuest(ctx, h, "sh", "-c", "systemctl is-active --quiet labctl-ready && cat /proc/sys/kernel/random/boot_id")
		if err == nil && now != before {
			return nil
		}
		if !(process{h.InitPID, h.InitStart}).alive() {
			return fmt.Errorf("it has gone instead: bring the sandbox up again%s", s.lastWords(h.Name))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// lastWords is what a guest that has gone has left in the log of the sandbox, on lines of its own.
func (s *State) lastWords(host string) string {
	log, _ := os.ReadFile(filepath.Join(s.Dir, logFile))
	at := bytes.LastIndex(log, []byte(guestEnded(host)))
	if at < 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(log[at:])), "\n")
	return "\n" + strings.Join(lines[:min(len(lines), 1+guestLines)], "\n")
}

// guestEnded is how the last words of a guest begin.
func guestEnded(host string) string { return fmt.Sprintf("host %q: the guest kernel ended: ", host) }

// askGuest returns what a command in a guest prints.
func askGuest(ctx context.Context, h HostState, argv ...string) (string, error) {
	var out, errs bytes.Buffer
	code, err := execGuest(ctx, h, ExecOptions{Argv: argv, Stdout: &out, Stderr: &errs})
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit %d: %s", argv[0], code, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), err
}
