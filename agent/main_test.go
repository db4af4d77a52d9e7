package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

func TestSweepTakesWhatNobodyOwns(t *testing.T) {
	dir := t.TempDir()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	dead := blobPrefix + strconv.Itoa(gone.Process.Pid)
	alive := blobPrefix + strconv.Itoa(os.Getppid())
	for _, name := range []string{dead, alive, "blobs-x", "agent-x"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "content"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir)
	for name, want := range map[string]bool{dead: false, alive: true, "blobs-x": true, "agent-x": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", name, err == nil, want)
		}
	}
	sweep(filepath.Join(dir, "nowhere"))
}
