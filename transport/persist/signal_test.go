//go:build unix

package persist_test

import (
	"os"
	"syscall"
	"testing"
)

func send(t *testing.T, p *os.Process, name string) {
	t.Helper()
	if err := p.Signal(map[string]syscall.Signal{"KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP}[name]); err != nil {
		t.Fatal(err)
	}
}
