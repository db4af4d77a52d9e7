// Package reaptest has undone what tests have set up and cannot undo any more, since their program was killed. It does not know
// what that is.
package reaptest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// verb is the first argument of the process that does it. It hears of the program's end by that of its input.
const verb = "reap-after-tests"

var reaper = sync.OnceValues(func() (io.Writer, error) {
	cmd := exec.Command("/proc/self/exe", verb)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends the tests, by their process group, does not end it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return in, cmd.Start()
})

// Register has the undo of Main called with what, a line, when this program has ended. That it has been undone before must be no
// fault to it.
func Register(what string) error {
	in, err := reaper()
	if err == nil {
		_, err = fmt.Fprintln(in, what)
	}
	if err != nil {
		return fmt.Errorf("register what a test leaves behind: %w", err)
	}
	return nil
}

// Main is to be called first by a TestMain. In the process that undoes, it does not return.
func Main(undo func(what string)) {
	if len(os.Args) < 2 || os.Args[1] != verb {
		return
	}
	var all []string
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		all = append(all, in.Text())
	}
	for _, what := range all {
		undo(what)
	}
	os.Exit(0)
}
