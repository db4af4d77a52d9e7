package linux

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"labctl/modules/digest"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

func (f hostFiles) Write(ctx context.Context, path string, c host.Content, a host.FileAttrs) error {
	r, err := f.Open(ctx, c)
	if err != nil {
		return fileError("write", path, err)
	}
	defer r.Close()
	return f.place(path, r, a)
}

func (f hostFiles) Copy(_ context.Context, from, to string) error {
	r, err := openRegular(from)
	if err != nil {
		return fileError("copy", from, err)
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return fileError("copy", from, err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return f.place(to, r, host.FileAttrs{
		Mode: ptr(st.Mode & 0o7777), Owner: strconv.Itoa(int(st.Uid)), Group: strconv.Itoa(int(st.Gid)),
	})
}

// place puts what r yields at path: a temporary file in the same directory gets content, attributes and fsync, then takes
// the name. Whatever goes wrong, path is as it was, or as it shall be.
func (f hostFiles) place(path string, r io.Reader, a host.FileAttrs) error {
	if strings.HasSuffix(path, "/") {
		return fileError("write", path, syscall.EISDIR)
	}
	at, err := followLinks(path)
	if err != nil {
		return fileError("write", path, err)
	}
	return fileError("write", path, f.replace(at, r, a))
}

func (f hostFiles) replace(path string, r io.Reader, a host.FileAttrs) error {
	old, err := present(path)
	if err != nil {
		return err
	}
	w, named, err := tempFile(path)
	if err != nil {
		return err
	}
	defer func() {
		w.Close()
		os.Remove(named) // gone already when all went well
	}()
	if err := f.fill(w, r, path, old, a); err != nil {
		return err
	}
	if err := name(w, named); err != nil {
		return err
	}
	if err := os.Rename(named, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// tempFile opens a new file beside path, without a name (O_TMPFILE, open(2)) where the file system can: then a process that
// is killed half way leaves nothing behind. It shall be called named.
func tempFile(path string) (w *os.File, named string, err error) {
	named = tempName(path)
	dir := path[:len(path)-len(filepath.Base(path))]
	if w, err = os.OpenFile(dir, os.O_WRONLY|unix.O_TMPFILE, 0o600); err != nil {
		w, err = os.OpenFile(named, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	}
	return w, named, err
}

// name gives the file its temporary name, if it has none yet.
func name(w *os.File, named string) error {
	if w.Name() == named {
		return nil
	}
	return unix.Linkat(unix.AT_FDCWD, procFD(int(w.Fd())), unix.AT_FDCWD, named, unix.AT_SYMLINK_FOLLOW)
}

func (f hostFiles) fill(w *os.File, r io.Reader, path string, old *syscall.Stat_t, a host.FileAttrs) error {
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	uid, gid, err := f.s.names.ids(a)
	if err != nil {
		return err
	}
	mode := uint32(0o644)
	if old != nil {
		mode = old.Mode & 0o7777
		uid, gid = orElse(uid, int(old.Uid)), orElse(gid, int(old.Gid))
		copyXattrs(w, path)
	}
	if a.Mode != nil {
		mode = *a.Mode
	}
	if err := chown(w, uid, gid); err != nil {
		return fmt.Errorf("keep owner %d:%d: %w", uid, gid, err)
	}
	if err := unix.Fchmod(int(w.Fd()), mode); err != nil {
		return err
	}
	return w.Sync()
}

// chown leaves alone what is right already: an ordinary user may not set even its own id on some file systems.
func chown(w *os.File, uid, gid int) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(w.Fd()), &st); err != nil {
		return err
	}
	if (uid == -1 || uid == int(st.Uid)) && (gid == -1 || gid == int(st.Gid)) {
		return nil
	}
	return unix.Fchown(int(w.Fd()), uid, gid)
}

// followLinks returns where path leads when its last component is a symbolic link, possibly to something not yet there. The
// result is not cleaned: ".." after a symbolic link is for the kernel to resolve.
func followLinks(path string) (string, error) {
	for range 40 { // path_resolution(7)
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil // not a link; whatever else is wrong shows when it is used
		}
		if filepath.IsAbs(target) {
			path = target
		} else {
			path = path[:len(path)-len(filepath.Base(path))] + target
		}
	}
	return path, syscall.ELOOP
}

// present returns what is at path, nil when nothing is, and an error when it is not a regular file.
func present(path string) (*syscall.Stat_t, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, syscall.EISDIR
	case !info.Mode().IsRegular():
		return nil, syscall.EINVAL
	}
	return info.Sys().(*syscall.Stat_t), nil
}

// copyXattrs keeps the SELinux label, POSIX ACLs and user attributes of the file that is replaced, as far as this user and
// the file system can; a label that cannot be set is the policy's decision.
func copyXattrs(w *os.File, path string) {
	buf := make([]byte, 64<<10) // XATTR_LIST_MAX, XATTR_SIZE_MAX (linux/limits.h)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return
	}
	value := make([]byte, 64<<10)
	for name := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if len(name) == 0 {
			continue
		}
		if n, err := unix.Lgetxattr(path, string(name), value); err == nil {
			_ = unix.Fsetxattr(int(w.Fd()), string(name), value[:n], 0)
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // a directory that may be written but not read: the rename is done, its durability is not ours to force
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: no such thing here (fsync(2))
		return err
	}
	return nil
}

// tempName returns a name beside path that is free and cannot be guessed: the runtime seeds these numbers from the kernel and
// makes them with ChaCha8. (crypto/rand would bring 50 KB of generators that the kernel has itself.)
func tempName(path string) string {
	return path[:len(path)-len(filepath.Base(path))] + ".labctl-" + strconv.FormatUint(rand.Uint64(), 36)
}

// Open returns inline content, or the file of the blobs directory, which is fetched when it is missing.
func (f hostFiles) Open(ctx context.Context, c host.Content) (io.ReadCloser, error) {
	if c.Inline != nil || c.SHA256 == "" {
		return newVerifier(io.NopCloser(bytes.NewReader(c.Inline)), c.SHA256), nil
	}
	if !isHash(c.SHA256) {
		return nil, fmt.Errorf("open content: %q is not a SHA-256", c.SHA256)
	}
	path := filepath.Join(f.s.blobs, c.SHA256)
	r, err := openRegular(path)
	if errors.Is(err, os.ErrNotExist) && f.s.fetch != nil {
		if err := f.s.fetch(ctx, c.SHA256); err != nil {
			return nil, fmt.Errorf("fetch content %s: %w", c.SHA256[:12], err)
		}
		r, err = openRegular(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open content %s: %w", c.SHA256[:12], err)
	}
	return newVerifier(r, c.SHA256), nil
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == digest.Size
}

func sumFile(path string) (string, error) {
	r, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := digest.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	sum := h.Sum()
	return hex.EncodeToString(sum[:]), nil
}
