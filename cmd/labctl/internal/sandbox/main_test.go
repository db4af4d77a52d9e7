package sandbox

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"labctl/cmd/labctl/internal/reaptest"
)

// TestMain lets the test binary be what labctl is in earnest: the executable of every process of a sandbox, and
// with "up DIR NAME" a process that brings one up and can be killed.
func TestMain(m *testing.M) {
	reaptest.Main(func(what string) {
		dir, name, _ := strings.Cut(what, " ")
		_ = Down(context.Background(), dir, name)
	})
	if len(os.Args) > 1 && os.Args[1] == InitVerb {
		os.Exit(InitMain(os.Args[2:]))
	}
	if len(os.Args) == 4 && os.Args[1] == "up" {
		topology := office
		topology.Name = os.Args[3]
		if _, err := Up(context.Background(), os.Args[2], topology, Options{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
