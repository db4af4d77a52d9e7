//go:build unix

package persist_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/transport/persist"
)

// TestDir takes the first place that is this user's alone.
func TestDir(t *testing.T) {
	last := fmt.Sprintf("/tmp/labctl-%d", os.Getuid())
	t.Cleanup(func() { _ = os.Remove(last) }) // if it is empty
	tmp := func() string {
		d, err := os.MkdirTemp("", "d")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(d) })
		return d
	}
	for name, prepare := range map[string]func(run, home string) (string, string, string){
		"runtime":    func(run, home string) (string, string, string) { return run, home, run + "/labctl" },
		"no runtime": func(_, home string) (string, string, string) { return "", home, home + "/.cache/labctl/run" },
		"relative":   func(_, home string) (string, string, string) { return "run", home, home + "/.cache/labctl/run" },
		"neither":    func(_, _ string) (string, string, string) { return "", "", last },
		"not there":  func(_, _ string) (string, string, string) { return "/nonexistent/run", "/nonexistent/home", last },
		"open to others": func(run, home string) (string, string, string) {
			must(t, os.Mkdir(run+"/labctl", 0o700), os.Chmod(run+"/labctl", 0o755))
			return run, home, home + "/.cache/labctl/run"
		},
		"a link": func(run, home string) (string, string, string) {
			must(t, os.Symlink(home, run+"/labctl"))
			return run, home, home + "/.cache/labctl/run"
		},
		"too long": func(run, home string) (string, string, string) {
			return filepath.Join(run, strings.Repeat("x", 90)), home, home + "/.cache/labctl/run"
		},
		"another's": func(run, home string) (string, string, string) {
			if os.Getuid() != 0 {
				return run, home, run + "/labctl"
			}
			must(t, os.Chown(run, 65534, 65534), os.Chown(home, 65534, 65534))
			return run, home, last
		},
	} {
		t.Run(name, func(t *testing.T) {
			run, home, want := prepare(tmp(), tmp())
			t.Setenv("XDG_RUNTIME_DIR", run)
			t.Setenv("HOME", home)
			if got, err := persist.Dir(); got != want || err != nil {
				t.Errorf("%q, %v, not %q", got, err, want)
			}
			if info, err := os.Stat(want); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
