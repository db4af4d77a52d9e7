package wholefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWrite(t *testing.T) {
	for _, test := range []struct {
		name    string
		private bool
		set     func(t *testing.T, path string)
		mode    fs.FileMode
	}{
		{"new", false, func(*testing.T, string) {}, 0o600},
		{"as it was", false, there(0o664), 0o664},
		{"private from now on", true, there(0o664), 0o600},
		{"read only", false, there(0o444), 0o444},
		{"by a link", false, linked("elsewhere", true), 0o640},
		{"by a link to what is not there yet", false, linked("elsewhere", false), 0o600},
		{"by a link into a linked directory", false, func(t *testing.T, path string) {
			check(t, os.MkdirAll(filepath.Join(filepath.Dir(path), "a/b"), 0o700))
			check(t, os.Symlink("a/b", filepath.Join(filepath.Dir(path), "short")))
			check(t, os.Symlink("../file", filepath.Join(filepath.Dir(path), "a/b/file"))) // a/file
			check(t, os.Symlink("short/file", path))
		}, 0o600},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			test.set(t, path)
			link := isLink(path)
			check(t, Write(File{Path: path, Content: []byte("new\n"), Private: test.private}))
			text, err := os.ReadFile(path)
			check(t, err)
			info, err := os.Stat(path)
			check(t, err)
			if string(text) != "new\n" || info.Mode().Perm() != test.mode {
				t.Errorf("%q, mode %o; want mode %o", text, info.Mode().Perm(), test.mode)
			}
			if isLink(path) != link {
				t.Error("the link has become a file")
			}
			nothingBeside(t, filepath.Dir(path))
		})
	}
}

func TestOwnerStays(t *testing.T) {
	if os.Geteuid() != 0 && os.Getenv("LABCTL_TEST_KERNEL") == "" {
		t.Skip("only root writes the files of others")
	}
	path := filepath.Join(t.TempDir(), "file")
	there(0o600)(t, path)
	check(t, os.Chown(path, 1234, 4321))
	check(t, Write(File{Path: path}))
	info, err := os.Stat(path)
	check(t, err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 4321 {
		t.Errorf("it belongs to %d:%d now", st.Uid, st.Gid)
	}
}

// What is no file is written to, never replaced: /dev/null, /dev/stdout on a pipe.
func TestPipesAndDevices(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	check(t, syscall.Mkfifo(fifo, 0o600))
	read := make(chan []byte)
	go func() {
		text, _ := os.ReadFile(fifo)
		read <- text
	}()
	check(t, Write(File{Path: fifo, Content: []byte("x")}))
	if text := <-read; string(text) != "x" {
		t.Errorf("the reader has got %q", text)
	}
	r, w, err := os.Pipe()
	check(t, err)
	check(t, Write(File{Path: fmt.Sprintf("/proc/self/fd/%d", w.Fd()), Content: []byte("y")}))
	check(t, w.Close())
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil || got.String() != "y" {
		t.Errorf("the pipe has got %q, %v", got.String(), err)
	}
	link := filepath.Join(t.TempDir(), "null")
	check(t, os.Symlink(os.DevNull, link))
	check(t, Write(File{Path: link, Content: []byte("z")}))
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatal("/dev/null is a file now: ", err)
	}
}

func TestAllOrNone(t *testing.T) {
	dir := t.TempDir()
	first := filepath.Join(dir, "first")
	there(0o600)(t, first)
	for _, second := range []string{filepath.Join(dir, "gone", "second"), dir, loop(t, dir)} {
		err := WriteAll([]File{{Path: first, Content: []byte("new\n")}, {Path: second}})
		if err == nil || !strings.HasPrefix(err.Error(), "write "+second+": ") || strings.Contains(err.Error(), ".labctl-") {
			t.Errorf("writing %s: %v", second, err)
		}
	}
	if text, err := os.ReadFile(first); err != nil || string(text) != "old\n" {
		t.Errorf("the first is %q, %v", text, err)
	}
	nothingBeside(t, dir)
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	check(t, Create(path, []byte("first\n")))
	if err := Create(path, []byte("second\n")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "first\n" {
		t.Errorf("it is %q, %v", text, err)
	}
	nothingBeside(t, filepath.Dir(path))
}

func there(mode fs.FileMode) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		check(t, os.WriteFile(path, []byte("old\n"), 0o600))
		check(t, os.Chmod(path, mode))
	}
}

func linked(to string, exists bool) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if exists {
			there(0o640)(t, filepath.Join(filepath.Dir(path), to))
		}
		check(t, os.Symlink(to, path))
	}
}

func loop(t *testing.T, dir string) string {
	path := filepath.Join(dir, "loop")
	check(t, os.Symlink("loop", path))
	return path
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func nothingBeside(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, ".labctl-*")); len(left) > 0 {
		t.Errorf("%s is left", left)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
