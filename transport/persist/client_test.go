//go:build unix

package persist_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"labctl/transport"
)

const clientVerb = "test-client"

// client is a run in a process of its own: DIR TARGET COMMAND. It says "ready", and what the command says.
func client(args []string) int {
	var t transport.Target
	if err := json.Unmarshal([]byte(args[1]), &t); err != nil {
		fmt.Println(err)
		return 1
	}
	d := newDialer(args[0], transport.Options{})
	defer d.Close()
	c, err := d.Dial(context.Background(), &t)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer c.Close()
	p, err := c.Start(context.Background(), args[2])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	_, _ = io.Copy(os.Stdout, p.Stdout)
	status, err := p.Wait()
	if err != nil {
		fmt.Println(err)
	}
	return status
}

// launch starts a client, and returns once its command runs. extra files it inherits as a shell's child would.
func launch(t *testing.T, exe, dir string, target *transport.Target, command string, extra ...*os.File) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	b, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, clientVerb, dir, string(b), command)
	cmd.ExtraFiles = extra
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r := bufio.NewReader(out)
	if s, err := r.ReadString('\n'); err != nil || strings.TrimSpace(s) != "ready" {
		t.Fatalf("the client said %q, %v", s, err)
	}
	return cmd, r
}
