package transport_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

func TestAgentIsPushedOnceFromEveryShell(t *testing.T) {
	for _, shell := range []string{"sh", "dash", "bash", "zsh", "ksh", "mksh", "fish", "tcsh", "csh"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("not tried, because this machine does not have it: %s", shell)
			continue
		}
		t.Run(shell, func(t *testing.T) {
			b := newBins(t)
			config, home := withShell(t, path)
			c := dialTest(t, config)
			for range 2 {
				got, err := talk(t, c, b, transport.AgentOptions{Args: []string{"-v", "two words"}}, "frames")
				if want := greeting("frames", "-v", "two words"); err != nil || got != want {
					t.Fatalf("got %q, %v; want %q", got, err, want)
				}
			}
			if len(b.opened) != 1 {
				t.Errorf("pushed %d times", len(b.opened))
			}
			dir := filepath.Join(home, ".cache/labctl")
			holds(t, dir, "agent-"+b.hash)
			if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}

func TestAgentThroughOpenSSHAndJump(t *testing.T) {
	me := newLogin(t)
	jump := transporttest.NewSSHD(t, me.keys())
	s := transporttest.NewSSHD(t, me.keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.Via = me.target(t, "jump", jump.Addr, jump.HostKey)
	c := dial(t, newPool(t, transport.Options{}), target)
	b := newBins(t)
	say := strings.Repeat("x", 5<<20) // more than the window of the channel
	for range 2 {
		if got, err := talk(t, c, b, transport.AgentOptions{}, say); err != nil || got != greeting(say) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	if len(b.opened) != 1 {
		t.Errorf("pushed %d times", len(b.opened))
	}
}

func TestFirstFlightIsBounded(t *testing.T) {
	config, _ := withShell(t, "/bin/sh")
	c := dialTest(t, config)
	p, err := transport.StartAgent(t.Context(), c, newBins(t), transport.AgentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB
	go func() {
		for rest := want; rest != ""; rest = rest[1<<20:] {
			if _, err := io.WriteString(p.Stdin, rest[:1<<20]); err != nil {
				t.Error(err)
				return
			}
		}
		_ = p.Stdin.Close()
	}()
	got, err := io.ReadAll(p.Stdout)
	if err != nil || string(got) != greeting(want) {
		t.Errorf("%d bytes came back: %v", len(got), err)
	}
}

func TestAgentLocally(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	c := transport.Local()
	t.Cleanup(func() {
		_ = c.Close()
		noGoroutines(t)
	})
	b := newBins(t)
	for range 2 {
		if got, err := talk(t, c, b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if len(b.opened) != 1 {
		t.Errorf("pushed %d times", len(b.opened))
	}
}

func TestNoiseOfLoginScripts(t *testing.T) {
	config, _ := withShell(t, "/bin/sh")
	quiet := config.Exec
	noise := strings.Repeat("Welcome to this machine!\n", 1000)
	config.Exec = func(ctx context.Context, cmd string, stdin io.Reader, stdout, stderr io.Writer) int {
		_, _ = io.WriteString(stdout, noise)
		return quiet(ctx, cmd, stdin, stdout, stderr)
	}
	c := dialTest(t, config)
	if got, err := talk(t, c, newBins(t), transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	noise = strings.Repeat(noise, 10)
	_, err := talk(t, c, newBins(t), transport.AgentOptions{}, "")
	if err == nil {
		t.Fatal("endless noise is no error")
	}
	mention(t, err, "login scripts", "Welcome")
}

func TestAgentThatNeverAnswers(t *testing.T) {
	config, _ := withShell(t, "/bin/sh")
	config.Exec = func(ctx context.Context, _ string, _ io.Reader, _, _ io.Writer) int {
		<-ctx.Done()
		return 0
	}
	_, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{HelloTimeout: 50 * time.Millisecond}, "hi")
	if err == nil {
		t.Fatal("no error")
	}
	mention(t, err, "no answer within 50ms")
}
