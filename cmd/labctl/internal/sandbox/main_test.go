package sandbox

import (
	"os"
	"testing"
)

// TestMain lets the test binary be what labctl is in earnest: the executable of every process of a sandbox.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == InitVerb {
		os.Exit(InitMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}
