package transport_test

import (
	"os"
	"path/filepath"
	"testing"

	"labctl/transport"
)

// Directories of others, and those that others may enter, are not used.
func TestForeignDirectoryIsNotUsed(t *testing.T) {
	elsewhere := t.TempDir()
	cache := filepath.Join(t.TempDir(), "cache")
	config, _ := withShell(t, "/bin/sh", "XDG_CACHE_HOME="+cache)
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(cache, "labctl")); err != nil {
		t.Fatal(err)
	}
	if got, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	if files, _ := os.ReadDir(elsewhere); len(files) != 0 {
		t.Errorf("the agent went through a symbolic link: %v", files)
	}
}

// An agent that others could have put there is not run, however it is called.
func TestPlantedAgentIsNotRun(t *testing.T) {
	cache := t.TempDir()
	config, home := withShell(t, "/bin/sh", "XDG_CACHE_HOME="+cache)
	b := newBins(t)
	dir := filepath.Join(cache, "labctl")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "agent-"+b.hash), []byte("#!/bin/sh\nprintf '\\0labctl\\1planted'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	if got, err := talk(t, dialTest(t, config), b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	holds(t, filepath.Join(home, ".cache/labctl"), "agent-"+b.hash)
}
