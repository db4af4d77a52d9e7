package linux

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

func filesOf(t testing.TB) hostFiles { return New().Files().(hostFiles) }

func inline(s string) host.Content { return host.Content{Inline: []byte(s)} }

// mustHold checks content and mode of a file, and that nothing temporary is left beside it.
func mustHold(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != content {
		t.Errorf("%s holds %q (%v), not %q", path, b, err, content)
	}
	if info, err := os.Stat(path); err == nil && info.Mode() != mode {
		t.Errorf("%s has mode %v, not %v", path, info.Mode(), mode)
	}
	mustBeTidy(t, filepath.Dir(path))
}

func mustBeTidy(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, ".labctl-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteKeepsWhatIsNotSet(t *testing.T) {
	f, dir, ctx := filesOf(t), t.TempDir(), context.Background()
	path := filepath.Join(dir, "a b\n\"ü'$(x)")
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	if err := f.Write(ctx, path, inline("one"), host.FileAttrs{}); err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, "one", 0o644)
	if err := os.Chmod(path, 0o750|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	_ = unix.Setxattr(path, "user.note", []byte("kept"), 0)
	if err := f.Write(ctx, path, inline("two"), host.FileAttrs{}); err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, "two", 0o750|os.ModeSetuid)
	value := make([]byte, 10)
	if n, err := unix.Getxattr(path, "user.note", value); !errors.Is(err, unix.ENOTSUP) && string(value[:max(n, 0)]) != "kept" {
		t.Errorf("extended attribute is %q, %v", value[:max(n, 0)], err)
	}
	if err := f.Write(ctx, path, inline(""), host.FileAttrs{Mode: ptr(uint32(0))}); err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat(ctx, path, true)
	if err != nil || st.Mode != 0 || st.Size != 0 || st.SHA256 != hex.EncodeToString(sha256.New().Sum(nil)) {
		t.Errorf("stat: %+v, %v", st, err)
	}
}

func TestWriteGoesThroughSymlinks(t *testing.T) {
	f, dir, ctx := filesOf(t), t.TempDir(), context.Background()
	sub := filepath.Join(dir, "real", "sub")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"dir": "real/sub", "link": "dir/../later", "loop": "loop", "lost": "no/such"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Write(ctx, filepath.Join(dir, "link"), inline("x"), host.FileAttrs{}); err != nil { // dangling so far
		t.Fatal(err)
	}
	mustHold(t, filepath.Join(dir, "real", "later"), "x", 0o644) // .. follows the link, as the kernel does
	if err := f.Write(ctx, filepath.Join(dir, "loop"), inline("x"), host.FileAttrs{}); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("loop: %v", err)
	}
	if err := f.Write(ctx, filepath.Join(dir, "lost"), inline("x"), host.FileAttrs{}); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("link into nowhere: %v", err)
	}
}

func TestWriteRefusesWhatIsNotAFile(t *testing.T) {
	f, dir, ctx := filesOf(t), t.TempDir(), context.Background()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		dir: syscall.EISDIR, dir + "/": syscall.EISDIR, fifo: syscall.EINVAL, filepath.Join(fifo, "x"): syscall.ENOTDIR,
		filepath.Join(dir, "no", "x"): host.ErrNotExist,
	} {
		err := f.Write(ctx, path, inline("x"), host.FileAttrs{})
		var typed *host.Error
		if !errors.Is(err, want) || !errors.As(err, &typed) {
			t.Errorf("%s: %v, not %v", path, err, want)
		}
	}
	if _, err := f.Read(ctx, fifo, 10); !errors.Is(err, syscall.EINVAL) { // must not block
		t.Errorf("read fifo: %v", err)
	}
	if err := f.Remove(ctx, "/", true); !errors.Is(err, host.ErrBusy) {
		t.Errorf("remove /: %v", err)
	}
	mustBeTidy(t, dir)
}

func TestWriteUnknownOwner(t *testing.T) {
	f, path, ctx := filesOf(t), filepath.Join(t.TempDir(), "x"), context.Background()
	err := f.Write(ctx, path, inline("x"), host.FileAttrs{Owner: "nobody-is-called-so"})
	if err == nil || !strings.Contains(err.Error(), `no user is called "nobody-is-called-so"`) {
		t.Errorf("write: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

func TestContentByHash(t *testing.T) {
	f, dir, ctx := filesOf(t), t.TempDir(), context.Background()
	f.s.blobs = filepath.Join(dir, "blobs")
	sum := sha256.Sum256([]byte("content"))
	sha := hex.EncodeToString(sum[:])
	put := "content"
	asked := 0
	f.s.fetch = func(_ context.Context, s string) error {
		asked++
		_ = os.MkdirAll(f.s.blobs, 0o700)
		return os.WriteFile(filepath.Join(f.s.blobs, s), []byte(put), 0o600)
	}
	path := filepath.Join(dir, "x")
	for range 2 {
		if err := f.Write(ctx, path, host.Content{SHA256: sha, Size: 7}, host.FileAttrs{}); err != nil {
			t.Fatal(err)
		}
	}
	mustHold(t, path, "content", 0o644)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	put = "other"
	_ = os.RemoveAll(f.s.blobs)
	if err := f.Write(ctx, path, host.Content{SHA256: sha, Size: 7}, host.FileAttrs{}); err == nil || !strings.Contains(err.Error(), "verify content") {
		t.Errorf("wrong content: %v", err)
	}
	mustHold(t, path, "content", 0o644)
	if err := f.Write(ctx, path, host.Content{SHA256: "../../etc/passwd"}, host.FileAttrs{}); err == nil {
		t.Error("a path passes for a hash")
	}
}

func TestConcurrentWritesLeaveOneWhole(t *testing.T) {
	f, path, ctx := filesOf(t), filepath.Join(t.TempDir(), "x"), context.Background()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := f.Write(ctx, path, inline(strings.Repeat(fmt.Sprint(i%10), 100_000)), host.FileAttrs{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b, err := f.Read(ctx, path, 1<<20)
	if err != nil || len(b) != 100_000 || strings.Trim(string(b), string(b[:1])) != "" {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	mustBeTidy(t, filepath.Dir(path))
}

func TestDirectoriesAndLinks(t *testing.T) {
	f, dir, ctx := filesOf(t), t.TempDir(), context.Background()
	deep := filepath.Join(dir, "a", "b", "c")
	if err := f.Mkdir(ctx, deep, host.FileAttrs{}, false); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("mkdir without parents: %v", err)
	}
	if err := f.Mkdir(ctx, deep, host.FileAttrs{Mode: ptr(uint32(0o1777))}, true); err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat(ctx, deep, false)
	if err != nil || st.Type != host.Directory || st.Mode != 0o1777 {
		t.Errorf("stat: %+v, %v", st, err)
	}
	if err := f.Mkdir(ctx, deep, host.FileAttrs{}, true); !errors.Is(err, host.ErrExist) {
		t.Errorf("mkdir again: %v", err)
	}
	link := filepath.Join(dir, "link")
	for _, target := range []string{"a", "a/b"} {
		if err := f.Symlink(ctx, link, target); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := f.Stat(ctx, link, true); err != nil || st.Type != host.SymbolicLink || st.Target != "a/b" {
		t.Errorf("stat: %+v, %v", st, err)
	}
	if err := f.Symlink(ctx, deep, "x"); !errors.Is(err, host.ErrExist) {
		t.Errorf("link over directory: %v", err)
	}
	if err := f.Remove(ctx, filepath.Join(dir, "a"), false); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("remove full directory: %v", err)
	}
	if err := f.Remove(ctx, link, true); err != nil {
		t.Error(err)
	}
	if names, err := f.List(ctx, filepath.Join(dir, "a")); err != nil || len(names) != 1 { // the link went, not what it led to
		t.Errorf("list: %v, %v", names, err)
	}
	if err := f.Remove(ctx, filepath.Join(dir, "a"), true); err != nil {
		t.Error(err)
	}
}

// inMountNS runs fn on a thread of its own in a private mount namespace, with a tmpfs of 64 KiB at dir.
func inMountNS(t *testing.T, dir string, fn func()) {
	t.Helper()
	needRoot(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			t.Errorf("unshare: %v", err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Errorf("make mounts private: %v", err)
			return
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			t.Errorf("mount tmpfs: %v", err)
			return
		}
		fn()
	}()
	<-done
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
		t.Fatal("needs root")
	}
	t.Skip("needs root")
}

func TestFullAndReadOnlyFileSystem(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	inMountNS(t, dir, func() {
		f, path := filesOf(t), filepath.Join(dir, "x")
		if err := f.Write(ctx, path, inline("small"), host.FileAttrs{}); err != nil {
			t.Error(err)
		}
		err := f.Write(ctx, path, inline(strings.Repeat("x", 100_000)), host.FileAttrs{})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "write "+path+": no space left on device") {
			t.Errorf("full: %v", err)
		}
		mustHold(t, path, "small", 0o644)
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Error(err)
		}
		if err := f.Write(ctx, path, inline("other"), host.FileAttrs{}); !errors.Is(err, syscall.EROFS) {
			t.Errorf("read-only: %v", err)
		}
		mustHold(t, path, "small", 0o644)
	})
}

func TestOrdinaryUser(t *testing.T) {
	needRoot(t)
	dir, ctx := t.TempDir(), context.Background()
	theirs, ours := filepath.Join(dir, "root"), filepath.Join(dir, "open")
	for path, mode := range map[string]os.FileMode{theirs: 0o755, ours: 0o777} {
		if err := os.Mkdir(path, mode); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(path, mode)
		_ = os.WriteFile(filepath.Join(path, "x"), []byte("root's"), 0o644)
	}
	for p := dir; p != "/"; p = filepath.Dir(p) { // t.TempDir is below directories of mode 0700
		if info, err := os.Stat(p); err == nil && info.Mode()&0o005 != 0o005 && strings.HasPrefix(p, os.TempDir()+"/") {
			_ = os.Chmod(p, 0o755)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: it stays the other user for files
		_ = unix.Setfsgid(65534)
		_ = unix.Setfsuid(65534) // this thread's alone, and without CAP_DAC_OVERRIDE and CAP_CHOWN (capabilities(7))
		f := filesOf(t)
		if err := f.Write(ctx, filepath.Join(theirs, "x"), inline("y"), host.FileAttrs{}); !errors.Is(err, host.ErrPermission) {
			t.Errorf("directory of root: %v", err)
		}
		if err := f.Write(ctx, filepath.Join(ours, "x"), inline("y"), host.FileAttrs{}); !errors.Is(err, host.ErrPermission) {
			t.Errorf("file of root, whose owner cannot be kept: %v", err)
		}
		if err := f.Write(ctx, filepath.Join(ours, "new"), inline("y"), host.FileAttrs{}); err != nil {
			t.Errorf("own file: %v", err)
		}
		if err := f.SetAttrs(ctx, filepath.Join(ours, "x"), host.FileAttrs{Mode: ptr(uint32(0o600))}); !errors.Is(err, host.ErrPermission) {
			t.Errorf("mode of root's file: %v", err)
		}
	}()
	<-done
	mustHold(t, filepath.Join(theirs, "x"), "root's", 0o644)
	mustHold(t, filepath.Join(ours, "x"), "root's", 0o644)
}

func TestSetAttrs(t *testing.T) {
	needRoot(t)
	f, dir, ctx := filesOf(t), t.TempDir(), context.Background()
	path, link := filepath.Join(dir, "x"), filepath.Join(dir, "l")
	_ = os.WriteFile(path, nil, 0o644)
	_ = os.Symlink("x", link)
	if err := f.SetAttrs(ctx, path, host.FileAttrs{Mode: ptr(uint32(0o6755)), Owner: "daemon", Group: "4242"}); err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat(ctx, path, false)
	if err != nil || st.Mode != 0o6755 || st.Owner != "daemon" || st.Group != "4242" || st.GID != 4242 {
		t.Errorf("stat: %+v, %v", st, err)
	}
	if err := f.SetAttrs(ctx, link, host.FileAttrs{Owner: "daemon"}); err != nil {
		t.Error(err)
	}
	if err := f.SetAttrs(ctx, link, host.FileAttrs{Mode: ptr(uint32(0o600))}); !errors.Is(err, host.ErrUnsupported) {
		t.Errorf("mode of a link: %v", err)
	}
	if st, _ := f.Stat(ctx, path, false); st.Mode != 0o6755 {
		t.Errorf("the link was followed: %+v", st)
	}
}
