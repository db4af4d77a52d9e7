package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/transport/persist"
)

// tidy runs the tests, and fails if one of them has left a process behind that keeps connections. Tests log in to what is gone
// after them, so they keep none: those that are about it ask for it, in a directory of their own, and see to its end.
type tidy struct{ *testing.M }

func (m tidy) Run() int {
	code := m.M.Run()
	left := keepers()
	for end := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(end); left = keepers() {
		time.Sleep(50 * time.Millisecond)
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: left behind: %s\n", strings.Join(left, "; "))
		return 1
	}
	return code
}

// keepNothing is for every labctl that the tests start, unless they say otherwise.
func keepNothing() {
	for _, name := range []string{persistVariable, logVariable} {
		if _, said := os.LookupEnv(name); !said {
			_ = os.Setenv(name, "off")
		}
	}
}

// keepers are the command lines of the processes that keep connections for this program.
func keepers() (out []string) {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		b, _ := os.ReadFile(l)
		if args := strings.Split(string(b), "\x00"); len(args) > 1 && args[0] == exe && args[1] == persist.Verb {
			out = append(out, strings.Join(args, " "))
		}
	}
	return out
}
