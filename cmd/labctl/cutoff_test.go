package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/transport/transporttest"
)

// A test program that is killed leaves no sandbox.
func TestCutOff(t *testing.T) {
	t.Parallel()
	if !canSandbox(t) {
		return
	}
	if dir := os.Getenv("LABCTL_TEST_CUT_OFF"); dir != "" {
		bringUp(t, dir)
		fmt.Println("up")
		time.Sleep(time.Minute)
	}
	dir := writeSite(t, `host "box" {}`)
	cmd := exec.Command(os.Args[0], "-test.run=^TestCutOff$")
	cmd.Env = append(os.Environ(), "LABCTL_TEST_CUT_OFF="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := transporttest.Start(cmd); err != nil {
		t.Fatal(err)
	}
	for said := bufio.NewScanner(out); said.Scan() && said.Text() != "up"; {
		t.Log(said.Text())
	}
	if _, err := sandbox.Load(sandbox.DefaultDir, sandboxName(dir)); err != nil {
		t.Error(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, 10*time.Second, "the sandbox", func() string {
		left, _ := filepath.Glob(filepath.Join(sandbox.DefaultDir, sandboxName(dir)))
		return strings.Join(left, " ")
	})
}
