package transport_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// A session that is cut off while an agent waits on a terminal, or while sudo asks there, leaves nothing that runs on the
// machine. With use_pty sudo keeps a terminal of its own between the session's and the agent's. (A sudo with use_pty whose session
// is cut off in the milliseconds between the password and the command stays behind, and spins: that of 1.9.13 loses SIGHUP then,
// and its child waits for the terminal by 1 us naps, in src/exec_monitor.c. Nobody but root can end it.)
func TestBecomeNobodyLeft(t *testing.T) {
	needRoot(t, "sudo")
	for name, defaults := range map[string]string{"requiretty": "requiretty", "use_pty": "requiretty,use_pty"} {
		for what, asking := range map[string]bool{"agent": false, "question": true} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				me := newLogin(t)
				s := transporttest.NewBox(t, me.keys(), sudoers(mayAll, "Defaults "+defaults))
				target := me.target(t, "box", s.Addr, s.HostKey)
				target.User = "alice"
				startOnTerminal(t, dial(t, newPool(t, transport.Options{}), target), asking)
				if all := strings.Join(inBox(s), "\n"); !strings.Contains(all, "sudo -p labctl:") {
					t.Fatalf("running:\n%s", all)
				}
				cutSessions(s)
				for end := time.Now().Add(5 * time.Second); len(inBox(s)) > 0; time.Sleep(20 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("left behind:\n%s", strings.Join(inBox(s), "\n"))
					}
				}
			})
		}
	}
}

// startOnTerminal starts an agent as root, and returns when it runs or, with asking, when sudo waits for the password.
func startOnTerminal(t *testing.T, c transport.Conn, asking bool) {
	asked := make(chan struct{}, 9)
	ask := func(ctx context.Context, _ string) (string, error) {
		asked <- struct{}{}
		if asking {
			<-ctx.Done()
		}
		return transporttest.AlicePassword, ctx.Err()
	}
	started := make(chan error, 1)
	go func() {
		agent, err := transport.StartAgent(t.Context(), c, realAgents(t), transport.AgentOptions{Become: &transport.Become{User: "root", Password: ask}})
		if err == nil {
			_, err = io.ReadFull(agent.Stdout, make([]byte, 1))
		}
		started <- err
	}()
	if <-asked; asking {
		return
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}

// cutSessions ends all sessions of a box, as if the server's machine had gone.
func cutSessions(s *transporttest.SSHD) {
	for _, p := range inBox(s) {
		if number, command, _ := strings.Cut(p, " "); strings.HasPrefix(command, "sshd: ") {
			pid, _ := strconv.Atoi(number)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// inBox lists what runs in a box besides its server.
func inBox(s *transporttest.SSHD) (all []string) {
	box, _ := os.Readlink("/proc/" + strconv.Itoa(s.PID) + "/ns/pid")
	spaces, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, space := range spaces {
		if at, _ := os.Readlink(space); at != box {
			continue
		}
		dir := filepath.Dir(filepath.Dir(space))
		if p := stat(filepath.Base(dir)); p != nil && p[0] != strconv.Itoa(s.PID) {
			command, _ := os.ReadFile(dir + "/cmdline")
			all = append(all, p[0]+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return all
}
