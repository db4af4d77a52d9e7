package sandbox

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestExec(t *testing.T) {
	b := up(t, Topology{Name: "exec", Hosts: []Host{{Name: "box"}}})
	if _, code := b.exec("box", "exit 7"); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	if _, code := b.exec("box", "kill -TERM $$"); code != 128+15 {
		t.Errorf("exit code %d, want 143", code)
	}
	var out bytes.Buffer
	code, err := Exec(context.Background(), b.dir, "exec", "box", ExecOptions{Argv: []string{"cat"}, Stdin: strings.NewReader("through"), Stdout: &out})
	if err != nil || code != 0 || out.String() != "through" {
		t.Errorf("cat: %d %v %q", code, err, out.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if code, _ := Exec(ctx, b.dir, "exec", "box", ExecOptions{Argv: []string{"sleep", "100"}}); code != 128+15 || time.Since(start) > 2*time.Second {
		t.Errorf("cancelled sleep: exit code %d after %v", code, time.Since(start))
	}
	if _, err := Exec(context.Background(), b.dir, "exec", "bix", ExecOptions{}); err == nil || !strings.Contains(err.Error(), `no host "bix"`) {
		t.Errorf("exec in an unknown host: %v", err)
	}
}

// TestExecTerminal is a person at a terminal: it has a name in the host, job control, its size, and is as it was in the end.
func TestExecTerminal(t *testing.T) {
	b := up(t, Topology{Name: "tty", Hosts: []Host{{Name: "box"}}})
	master, slave, err := openPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 77}); err != nil {
		t.Fatal(err)
	}
	before, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if _, err := master.WriteString("tty; stty size; sleep 50\n"); err != nil {
		t.Fatal(err)
	}
	interrupt := time.AfterFunc(500*time.Millisecond, func() { master.WriteString("\x03echo job $? control; exit 5\n") })
	defer interrupt.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	code, err := Exec(ctx, b.dir, "tty", "box", ExecOptions{Argv: []string{"bash", "--norc", "-i"}, Stdin: slave, Stdout: slave, Stderr: slave})
	if err != nil || code != 5 {
		t.Errorf("exit code %d, %v", code, err)
	}
	_ = master.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	var shown bytes.Buffer
	_, _ = shown.ReadFrom(master)
	for _, want := range []string{"/dev/pts/0", "33 77", "job 130 control"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("no %q in %q", want, shown.String())
		}
	}
	if strings.Contains(shown.String(), "no job control") {
		t.Errorf("bash complains: %q", shown.String())
	}
	if after, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS); *after != *before {
		t.Errorf("terminal is %+v, was %+v", after, before)
	}
}

// TestExecSignal sends this process a signal that belongs to the command.
func TestExecSignal(t *testing.T) {
	b := up(t, Topology{Name: "signal", Hosts: []Host{{Name: "box"}}})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = r.Read(make([]byte, 1)) // the trap is set
		_ = unix.Kill(os.Getpid(), unix.SIGUSR1)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	code, err := Exec(ctx, b.dir, "signal", "box", ExecOptions{Argv: []string{"bash", "-c", "trap 'exit 9' USR1; echo; while :; do sleep 0.01; done"}, Stdout: w})
	w.Close()
	if code != 9 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
}
