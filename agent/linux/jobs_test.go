package linux

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"labctl/modules/host"
)

func jobHost(t *testing.T) (*Host, string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	h := New()
	h.runDir = filepath.Join(dir, "processes")
	return h, dir
}

func TestJobs(t *testing.T) {
	h, _ := jobHost(t)
	ctx := context.Background()
	id, err := h.Jobs().Start(ctx, []byte("request"))
	if err != nil {
		t.Fatal(err)
	}
	var left []byte
	for start := time.Now(); left == nil && err == nil && time.Since(start) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		left, err = h.Jobs().Get(ctx, id)
	}
	if string(left) != "done: request" || err != nil {
		t.Fatalf("left %q, %v", left, err)
	}
	dir, err := jobs{h}.of(id)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"request": false, "result": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", name, err == nil, want)
		}
	}
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v: others can look into it", path, info.Mode(), err)
		}
	}
	if err := h.Jobs().Forget(ctx, id); err != nil {
		t.Error(err)
	}
	if _, err := h.Jobs().Get(ctx, id); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("a forgotten job: %v", err)
	}
	for _, id := range []string{"", "..", "../processes", "0123456789abcdeg"} {
		if _, err := h.Jobs().Get(ctx, id); err == nil {
			t.Errorf("%q is taken for a job", id)
		}
	}
}

// A job that was killed is told from one that runs, and old ones go when another begins.
func TestJobsDieAndAreSwept(t *testing.T) {
	h, _ := jobHost(t)
	all, err := jobs{h}.dir()
	if err != nil {
		t.Fatal(err)
	}
	const dead, old = "0000000000000001", "0000000000000002"
	for _, id := range []string{dead, old} {
		if err := os.Mkdir(filepath.Join(all, id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-jobKept - time.Hour)
	if err := os.Chtimes(filepath.Join(all, old), yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Jobs().Get(context.Background(), dead); !errors.Is(err, errJobDied) {
		t.Errorf("a killed job: %v", err)
	}
	jobs{h}.sweep(all)
	if _, err := os.Stat(filepath.Join(all, old)); err == nil {
		t.Error("an old job is still there")
	}
	if _, err := os.Stat(filepath.Join(all, dead)); err != nil {
		t.Error("a young job has gone")
	}
	if err := os.Chmod(all, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Jobs().Start(context.Background(), nil); err == nil {
		t.Error("a job is kept where others can look into it")
	}
}
