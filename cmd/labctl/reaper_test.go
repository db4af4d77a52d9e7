package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/transport/transporttest"
)

// reaperVerb is the first argument of the process that takes down the sandboxes of tests that were cut off: it hears of their
// end by that of its input.
const reaperVerb = "reap-sandboxes"

// reaper starts it when the first sandbox is to come.
var reaper = sync.OnceValues(func() (io.Writer, error) {
	cmd := exec.Command("/proc/self/exe", reaperVerb)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends the tests, by their process group, does not end it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return in, cmd.Start()
})

// mortal has the sandboxes of the sites in and below dir taken down at the end of all tests, if nobody has done it before.
func mortal(dir string) error {
	in, err := reaper()
	if err == nil {
		_, err = fmt.Fprintln(in, dir)
	}
	return err
}

func reap(in io.Reader) {
	var dirs []string
	for s := bufio.NewScanner(in); s.Scan(); {
		dirs = append(dirs, s.Text())
	}
	for _, dir := range dirs {
		downBelow(dir)
	}
}

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
