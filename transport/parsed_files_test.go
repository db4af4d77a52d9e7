package transport

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file is parsed again when it has changed, a pipe never, and a device holds nothing.
func TestParsedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	parsed, files := 0, parsedFiles[string]{}
	load := func(path, want string, times int) {
		t.Helper()
		parsed = 0
		for range 2 {
			got, err := files.load(path, func(data []byte) (string, error) { parsed++; return string(data), nil })
			if err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", path, got, err, want)
			}
		}
		if parsed != times {
			t.Errorf("%s: parsed %d times, want %d", path, parsed, times)
		}
	}
	now := time.Now()
	write("one", now)
	load(path, "one", 1)
	write("two", now.Add(time.Second))
	load(path, "two", 1)
	load(path, "two", 0)
	load(os.DevNull, "", 1)

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fmt.Fprint(w, "from a command")
	w.Close()
	load(fmt.Sprintf("/dev/fd/%d", r.Fd()), "from a command", 1)
}
