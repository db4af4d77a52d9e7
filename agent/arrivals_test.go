package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/agent/wire"
)

func TestArrivals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	a := &arrivals{dir: dir}
	id, done := a.expect("aa")
	a.take(&wire.Part{ID: id, Data: []byte("one ")})
	a.take(&wire.Part{ID: id + 1, Data: []byte("of another")})
	a.take(&wire.Part{ID: id, Data: []byte("two")})
	a.end(&wire.Have{ID: id})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	holds(t, dir, map[string]string{"aa": "one two"})
	a.take(&wire.Part{ID: id, Data: []byte("behind the end")})
	a.end(&wire.Have{ID: id})

	id, done = a.expect("empty")
	a.end(&wire.Have{ID: id})
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	id, done = a.expect("bb")
	a.take(&wire.Part{ID: id, Data: []byte("half")})
	a.end(&wire.Have{ID: id, Error: "it is gone"})
	if err := <-done; err == nil || err.Error() != "it is gone" {
		t.Errorf("got %v", err)
	}

	id, _ = a.expect("cc")
	a.take(&wire.Part{ID: id, Data: []byte("half")})
	a.forget()
	a.take(&wire.Part{ID: id, Data: []byte("too late")})
	holds(t, dir, map[string]string{"aa": "one two", "empty": ""})
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may look into it: %v, %v", info.Mode(), err)
	}
}

// The end of a content that has no room is told at once, not at its end.
func TestArrivalsWithoutRoom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(file, "blobs"), ""} {
		a := &arrivals{dir: dir}
		id, done := a.expect("aa")
		a.take(&wire.Part{ID: id, Data: []byte("one")})
		if err := <-done; err == nil || !strings.Contains(err.Error(), "keep content") {
			t.Errorf("got %v", err)
		}
		a.take(&wire.Part{ID: id, Data: []byte("two")})
		a.end(&wire.Have{ID: id})
	}
}

func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if w, ok := want[f.Name()]; !ok || err != nil || string(text) != w {
			t.Errorf("%s holds %q, %v", f.Name(), text, err)
		}
	}
	if len(files) != len(want) {
		t.Errorf("there are %d files, want %d", len(files), len(want))
	}
}
