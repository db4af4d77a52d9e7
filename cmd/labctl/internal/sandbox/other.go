//go:build !linux

package sandbox

import (
	"context"
	"fmt"
	"os"
	"runtime"
)

// Check reports what this computer lacks for a sandbox.
func Check() error {
	return fmt.Errorf("labctl sandbox needs Linux, as root; this is %s: run it in a Linux virtual machine", runtime.GOOS)
}

// CheckGuest reports what this computer lacks for guests with a kernel of their own.
func CheckGuest() error { return Check() }

// SetupGuest needs Linux.
func SetupGuest(context.Context, func(string)) (string, error) { return "", Check() }

// Up needs Linux.
func Up(context.Context, string, Topology, Options) (*State, error) { return nil, Check() }

// Down needs Linux.
func Down(context.Context, string, string) error { return Check() }

// Exec needs Linux.
func Exec(context.Context, string, string, string, ExecOptions) (int, error) { return -1, Check() }

// Reboot needs Linux.
func Reboot(context.Context, string, string, []string, func(string)) error { return Check() }

// InitMain needs Linux.
func InitMain([]string) int {
	fmt.Fprintln(os.Stderr, "labctl:", Check())
	return 1
}

func (p process) alive() bool { return false }
