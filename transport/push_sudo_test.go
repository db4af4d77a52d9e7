package transport_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"labctl/transport"
	"labctl/transport/transporttest"
)

func TestSudo(t *testing.T) {
	fake := func(script string) (transporttest.Config, string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
		return withShell(t, "/bin/sh", "PATH="+dir+":"+os.Getenv("PATH"))
	}
	t.Run("password", func(t *testing.T) {
		config, _ := fake("echo 'sudo: a password is required' >&2; exit 1\n")
		_, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{Become: &transport.Become{User: "daemon"}}, "hi")
		var e *transport.AgentError
		if !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		mention(t, err, "sudo: a password is required", "NOPASSWD", "daemon")
		t.Logf("message: %v", err)
	})
	t.Run("works", func(t *testing.T) {
		config, _ := fake(`[ "$1 $2 $3 $4 $5" = "-n -H -u daemon --" ] || exit 9; shift 5; exec "$@"` + "\n")
		got, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{Become: &transport.Become{User: "daemon"}}, "hi")
		if err != nil || got != greeting("hi") {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("not needed", func(t *testing.T) {
		me, err := exec.Command("id", "-un").Output()
		if err != nil {
			t.Fatal(err)
		}
		config, _ := fake("exit 9\n")
		got, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{Become: &transport.Become{User: strings.TrimSpace(string(me))}}, "hi")
		if err != nil || got != greeting("hi") {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
