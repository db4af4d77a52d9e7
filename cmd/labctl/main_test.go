package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"labctl/cmd/labctl/internal/reaptest"
	"labctl/cmd/labctl/internal/sandbox"
	"labctl/transport/transporttest"
)

// atOnce is how many parallel tests run at a time. They wait more than they compute: for machines that boot, and as a proof for
// what does not come. Those that measure time are not parallel, and come first.
var atOnce = 4 * runtime.NumCPU()

func TestMain(m *testing.M) {
	reaptest.Main(downBelow)
	if len(os.Args) > 1 {
		if verb, ok := hidden[os.Args[1]]; ok {
			os.Exit(verb(os.Args[2:]))
		}
	}
	keepNothing()
	if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil { // what the command line says goes before
		panic(err)
	}
	testscript.Main(tidy{m}, map[string]func(){"labctl": func() { os.Exit(Main()) }, playbookName: func() { os.Exit(Main()) }, "vagrant-recorder": recorderMain})
}

// TestScripts runs every testdata/script/*.txtar as a shell session. Those whose name begins with "sandbox" need root.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "home/.local/state")) // an agent on this machine is root, and would keep handlers in /var/lib
			env.Setenv("LABS", abs(t, "../../playbooks/labs"))
			env.Setenv("EXAMPLES", abs(t, "../../playbooks/examples"))
			env.Defer(func() { downBelow(env.WorkDir) })
			return errors.Join(reaptest.Register(env.WorkDir), os.Mkdir(filepath.Join(env.WorkDir, "home"), 0o700))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"converge": convergeLab,
			"sshd": func(ts *testscript.TestScript, _ bool, args []string) {
				startServer(t, ts, transporttest.NewSSHD, args)
			},
			"box": func(ts *testscript.TestScript, _ bool, args []string) { startServer(t, ts, newBecomeBox, args) }},
		Condition: func(cond string) (bool, error) {
			if cond == "sandbox" {
				return canSandbox(t), nil
			}
			return false, fmt.Errorf("condition %q is not known", cond)
		},
	})
}

// downBelow ends every sandbox whose site lies below dir.
func downBelow(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".hcl") {
			for _, site := range []string{path, filepath.Dir(path)} {
				_ = sandbox.Down(context.Background(), sandbox.DefaultDir, sandboxName(site))
			}
		}
		return nil
	})
}

// canSandbox reports whether sandboxes can be brought up here; where that is demanded, it fails the test if not.
func canSandbox(t *testing.T) bool {
	t.Helper()
	err := sandbox.Check()
	if err != nil && os.Getenv("LABCTL_TEST_KERNEL") != "" {
		t.Fatalf("LABCTL_TEST_KERNEL is set, but: %v", err)
	}
	if err != nil {
		t.Logf("not tested here: %v", err)
	}
	return err == nil
}

func abs(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// labctl runs one command in this process.
func labctl(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runLabctl(args...)
}

func runLabctl(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := &app{in: os.Stdin, out: &out, err: &errs}
	code = a.run(context.Background(), args)
	return code, out.String(), errs.String()
}
