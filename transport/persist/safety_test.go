//go:build unix

package persist_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/persist"
)

// dialled connects by a run of its own, which ends with the test.
func dialled(t *testing.T, dir string, target *transport.Target, o transport.Options) transport.Conn {
	t.Helper()
	d := newDialer(dir, o)
	c, err := d.Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = d.Close() })
	return c
}

// once connects by a run of its own, runs a command and returns what it said.
func once(t *testing.T, dir string, target *transport.Target, command string) string {
	t.Helper()
	d := newDialer(dir, transport.Options{})
	defer d.Close()
	c, err := d.Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return said(t, c, command)
}

func said(t testing.TB, c transport.Conn, command string) string {
	t.Helper()
	p, err := c.Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Stdin.Close()
	b, err := io.ReadAll(p.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(); status != 0 || err != nil {
		t.Fatalf("status %d, %v, stderr %q", status, err, p.Stderr())
	}
	return strings.TrimSpace(string(b))
}

// TestFarSideGone has the sshd of the kept connection die, or stop: the next run notices in seconds, logs in again, and goes on.
func TestFarSideGone(t *testing.T) {
	for name, signal := range map[string]string{"killed": "KILL", "stopped": "STOP"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target, servers := bed(t)
			n, err := strconv.Atoi(once(t, dir, target, "echo $PPID")) // the shell's parent is the sshd of this connection
			if err != nil {
				t.Fatal(err)
			}
			sshd := process(t, n)
			send(t, sshd, signal)
			t.Cleanup(func() { _ = sshd.Kill() })
			begin := time.Now()
			if out := once(t, dir, target, "echo again"); out != "again" {
				t.Errorf("said %q", out)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if n := servers[1].Connections(); n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// TestClientKilled: what a killed run has begun ends, its connection stays, and the next run uses it.
func TestClientKilled(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	mark := filepath.Join(t.TempDir(), "ended")
	cmd, _ := launch(t, os.Args[0], dir, target, "cat; echo > "+mark)
	if list, err := persist.List(dir); err != nil || len(list) != 2 || !list[1].Used {
		t.Errorf("listed %+v, %v", list, err)
	}
	_ = cmd.Process.Kill()
	eventually(t, "the command has ended", func() bool { _, err := os.Stat(mark); return err == nil })
	eventually(t, "nobody uses the connection", func() bool {
		list, err := persist.List(dir)
		return err == nil && len(list) == 2 && !list[1].Used
	})
	if out := once(t, dir, target, "echo again"); out != "again" || servers[1].Connections() != 1 {
		t.Errorf("said %q, over %d connections", out, servers[1].Connections())
	}
}

// TestServerKilledUnderway: a command whose connection is lost with the server says so at once, and the run logs in by itself.
func TestServerKilledUnderway(t *testing.T) {
	t.Parallel()
	dir, target, _ := bed(t)
	d := newDialer(dir, transport.Options{})
	defer d.Close()
	c, err := d.Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Start(t.Context(), "exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	send(t, process(t, pid(dir)), "KILL")
	if status, err := p.Wait(); status != -1 || err == nil || !strings.Contains(err.Error(), "connection to hop2 lost") {
		t.Errorf("status %d, %v", status, err)
	}
	if _, err := c.Start(t.Context(), "true"); err == nil {
		t.Error("a lost connection starts commands")
	}
	_ = c.Close()
	if c, err = d.Dial(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if out := said(t, c, "echo alone"); out != "alone" {
		t.Errorf("said %q", out)
	}
	if out := once(t, dir, target, "echo next"); out != "next" || pid(dir) == 0 {
		t.Errorf("the next run said %q; its server is %d", out, pid(dir))
	}
}

// TestRunsAtOnce use one connection, while it is warm, and each gets its own answers.
func TestRunsAtOnce(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	once(t, dir, target, "true")
	runsAtOnce(t, dir, target, 6, 200_000)
	if n := servers[1].Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestManySessions: where the kept connection has as many sessions as its server allows, a run logs in for its own.
func TestManySessions(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t, "MaxSessions 1")
	first := dialled(t, dir, target, transport.Options{})
	p, err := first.Start(t.Context(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	if out := once(t, dir, target, "echo mine"); out != "mine" || servers[1].Connections() != 2 {
		t.Errorf("said %q, over %d connections", out, servers[1].Connections())
	}
	if _, err := io.WriteString(p.Stdin, "still there\n"); err != nil {
		t.Error(err)
	}
	_ = p.Stdin.Close()
	if b, err := io.ReadAll(p.Stdout); string(b) != "still there\n" || err != nil {
		t.Errorf("the first said %q, %v", b, err)
	}
}

// TestHostKeyOfACommand: a key that a command answers for keeps its connection for as long as the command does so, which is asked as for
// a login, and not for the order of algorithms.
func TestHostKeyOfACommand(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	asked, shut := filepath.Join(t.TempDir(), "asked"), filepath.Join(t.TempDir(), "shut")
	target.KnownHosts = []string{"/dev/null"}
	target.KnownHostsCommand = []string{"/bin/sh", "-c", `echo "$1" >>"$2"; test -e "$3" || echo "$4 $5 $6"`, "sh", "%I", asked, shut, "%H", "%t", "%K"}
	target.HostKeyPolicy = transport.PolicyStrict
	once(t, dir, target, "true")
	once(t, dir, target, "true")
	if n := servers[1].Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if b, _ := os.ReadFile(asked); string(b) != "ORDER\nHOSTNAME\nHOSTNAME\n" {
		t.Errorf("asked for %q", b)
	}
	if err := os.WriteFile(shut, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDialer(dir, transport.Options{})
	defer d.Close()
	_, err := d.Dial(t.Context(), target)
	var key *transport.HostKeyError
	if !errors.As(err, &key) {
		t.Errorf("%T %v", err, err)
	}
}

// TestHostKeyForgotten: who would be refused a login now gets no warm connection either.
func TestHostKeyForgotten(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(hop, line string) (int, string){
		"forgotten":       func(_, _ string) (int, string) { return 1, "" },
		"revoked":         func(_, line string) (int, string) { return 1, line + "@revoked " + line },
		"revoked at jump": func(hop, _ string) (int, string) { return 0, hop + "@revoked " + hop },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target, _ := bed(t)
			once(t, dir, target, "true")
			read := func(f string) string { b, _ := os.ReadFile(f); return string(b) }
			files := []string{target.Via.KnownHosts[0], target.KnownHosts[0]}
			which, text := edit(read(files[0]), read(files[1]))
			if err := os.WriteFile(files[which], []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			d := newDialer(dir, transport.Options{})
			defer d.Close()
			_, err := d.Dial(t.Context(), target)
			var key *transport.HostKeyError
			if !errors.As(err, &key) {
				t.Errorf("%T %v", err, err)
			}
		})
	}
}

// TestQuestions are put by the run in front: with nobody there, what would be asked is refused.
func TestQuestions(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	var asked []string
	var mu sync.Mutex
	ask := func(_ context.Context, q transport.Question) ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, q.Text)
		return []string{"yes"}, nil
	}
	for _, f := range []string{target.KnownHosts[0], target.Via.KnownHosts[0]} {
		if err := os.Truncate(f, 0); err != nil {
			t.Fatal(err)
		}
	}
	var key *transport.HostKeyError
	d := newDialer(dir, transport.Options{})
	if _, err := d.Dial(t.Context(), target); !errors.As(err, &key) {
		t.Errorf("nobody was asked: %T %v", err, err)
	}
	_ = d.Close()
	c := dialled(t, dir, target, transport.Options{Ask: ask})
	if out := said(t, c, "echo trusted"); out != "trusted" || len(asked) != 2 || pid(dir) == 0 {
		t.Errorf("said %q, asked %q", out, asked)
	}
	before := servers[1].Connections()
	if out := once(t, dir, target, "echo known"); out != "known" || servers[1].Connections() != before {
		t.Errorf("said %q, over %d connections", out, servers[1].Connections()-before)
	}
}

// TestHalfClose passes on the end of what goes to a forwarded connection, and still what comes back.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	dir, target, _ := bed(t)
	addr := answerer(t)
	c := dialled(t, dir, target, transport.Options{})
	f, err := c.(transport.Forwarder).Forward(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, "question"); err != nil {
		t.Fatal(err)
	}
	if err := f.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); string(b) != "8 bytes" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestForgive: after it, the kept connection does not count as a login.
func TestForgive(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	once(t, dir, target, "true")
	d := newDialer(dir, transport.Options{})
	defer d.Close()
	d.Forgive(target)
	c, err := d.Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if jump, host := servers[0].Connections(), servers[1].Connections(); jump != 1 || host != 2 {
		t.Errorf("%d connections to the jump, %d to the host", jump, host)
	}
}

// TestOtherProgram: another labctl has a server of its own, and so has the next version at the same place.
func TestOtherProgram(t *testing.T) {
	t.Parallel()
	dir, target, servers := bed(t)
	once(t, dir, target, "true")
	exe := filepath.Join(t.TempDir(), "labctl")
	for i := range 2 {
		// Were it written from here, others that are being started could hold it open, and it would be busy.
		must(t, exec.Command("cp", os.Args[0], exe+".new").Run(), os.Rename(exe+".new", exe))
		for range 2 {
			cmd, _ := launch(t, exe, dir, target, "true")
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		}
		if n := servers[1].Connections(); n != 2+i {
			t.Errorf("%d connections", n)
		}
	}
	if list, err := persist.List(dir); err != nil || len(list) != 6 {
		t.Errorf("listed %+v, %v", list, err)
	}
}

// TestServerShedsFiles: a pipe that the first run had from its parent ends with that run, not with the server.
func TestServerShedsFiles(t *testing.T) {
	t.Parallel()
	dir, target, _ := bed(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd, _ := launch(t, os.Args[0], dir, target, "true", w, w, w)
	_ = w.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := r.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); len(b) > 0 || err != nil {
		t.Errorf("%q, %v: something holds the pipe open", b, err)
	}
	if pid(dir) == 0 {
		t.Error("there is no server")
	}
}

// TestNothingKept: a server without connections ends at once.
func TestNothingKept(t *testing.T) {
	t.Parallel()
	dir, target, _ := bed(t)
	target = target.Via
	target.IdentityFiles = []string{"none"}
	d := newDialer(dir, transport.Options{})
	if _, err := d.Dial(t.Context(), target); err == nil {
		t.Error("logged in without a key")
	}
	if pid(dir) == 0 {
		t.Error("there was no server")
	}
	_ = d.Close()
	eventually(t, "the server has ended", func() bool { return pid(dir) == 0 })
}
