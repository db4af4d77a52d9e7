package linux

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// files is what the host keeps for file operations.
type files struct {
	blobs string // directory of contents named by their SHA-256
	fetch func(ctx context.Context, sha string) error
	names names
}

// hostFiles is host.Files on the real file system.
type hostFiles struct{ s *files }

var _ host.Files = hostFiles{}

// Files returns the real file system.
func (h *Host) Files() host.Files { return hostFiles{&h.files} }

// SetBlobs says where contents given by hash are: dir/SHA256. When one is missing, fetch puts it there.
func (h *Host) SetBlobs(dir string, fetch func(ctx context.Context, sha string) error) {
	h.files.blobs, h.files.fetch = dir, fetch
}

func (f hostFiles) Stat(_ context.Context, path string, sum bool) (host.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return host.File{}, fileError("stat", path, err)
	}
	st := info.Sys().(*syscall.Stat_t)
	out := host.File{
		Path: path, Type: fileType(st.Mode), Mode: st.Mode & 0o7777, Size: info.Size(),
		UID: int(st.Uid), GID: int(st.Gid), Owner: f.s.names.user(int(st.Uid)), Group: f.s.names.group(int(st.Gid)),
	}
	switch {
	case out.Type == host.SymbolicLink:
		out.Target, err = os.Readlink(path)
	case out.Type == host.RegularFile && sum:
		out.SHA256, err = sumFile(path)
	}
	return out, fileError("read", path, err)
}

func fileType(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return host.RegularFile
	case unix.S_IFDIR:
		return host.Directory
	case unix.S_IFLNK:
		return host.SymbolicLink
	}
	return host.Other
}

// openRegular opens a file for reading and refuses what would block or is endless: pipes, devices, sockets.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = syscall.EISDIR
	} else if err == nil && !info.Mode().IsRegular() {
		err = syscall.EINVAL
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Read reads one byte more than max to learn of a file that is larger: the size that stat(2) gives is 0 in /proc.
func (f hostFiles) Read(_ context.Context, path string, limit int64) ([]byte, error) {
	r, err := openRegular(path)
	if err != nil {
		return nil, fileError("read", path, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = syscall.EFBIG
	}
	if err != nil {
		return nil, fileError("read", path, err)
	}
	return b, nil
}

func (f hostFiles) CopyTo(_ context.Context, path string, w io.Writer) error {
	r, err := openRegular(path)
	if err != nil {
		return fileError("read", path, err)
	}
	defer r.Close()
	_, err = io.Copy(w, struct{ io.Reader }{r}) // in pieces, not by splice(2)
	return fileError("read", path, err)
}

func (f hostFiles) List(_ context.Context, path string) ([]string, error) {
	d, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fileError("list", path, err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, fileError("list", path, err)
}

func (f hostFiles) Mkdir(_ context.Context, path string, a host.FileAttrs, parents bool) error {
	path = strings.TrimRight(path, "/")
	if parents {
		if err := mkdirAbove(path); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return fileError("mkdir", path, err)
	}
	if a.Mode == nil {
		a.Mode = ptr(uint32(0o755)) // whatever the umask is
	}
	if err := f.setAttrs(path, a); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

// mkdirAbove makes the directories above path that are missing, 0755 whatever the umask is.
func mkdirAbove(path string) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return fileError("mkdir", dir, err)
	}
	if err := mkdirAbove(dir); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) { // made by someone else since
		return nil
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	return fileError("mkdir", dir, err)
}

func (f hostFiles) Symlink(_ context.Context, path, target string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fileError("symlink", path, os.Symlink(target, path))
	case err != nil:
		return fileError("symlink", path, err)
	case info.Mode()&os.ModeSymlink == 0:
		return fileError("symlink", path, syscall.EEXIST)
	}
	tmp := tempName(path)
	if err := os.Symlink(target, tmp); err != nil {
		return fileError("symlink", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return fileError("symlink", path, err)
	}
	return nil
}

func (f hostFiles) Remove(_ context.Context, path string, recursive bool) error {
	if filepath.Clean(path) == "/" {
		return fileError("remove", path, syscall.EBUSY)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fileError("remove", path, err)
	}
	switch {
	case recursive && info.IsDir():
		err = os.RemoveAll(path)
	case info.IsDir():
		err = unix.Rmdir(path)
	default:
		err = unix.Unlink(path)
	}
	return fileError("remove", path, err)
}

// SetAttrs goes through a descriptor of the path itself, so that a path that is exchanged for a symbolic link meanwhile
// does no harm.
func (f hostFiles) SetAttrs(_ context.Context, path string, a host.FileAttrs) error {
	return f.setAttrs(path, a)
}

func (f hostFiles) setAttrs(path string, a host.FileAttrs) error {
	uid, gid, err := f.s.names.ids(a)
	if err != nil {
		return fileError("set owner of", path, err)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fileError("set attributes of", path, err)
	}
	defer unix.Close(fd)
	if uid != -1 || gid != -1 {
		if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return fileError("set owner of", path, err)
		}
	}
	if a.Mode == nil {
		return nil
	}
	// chmod(2) on /proc/self/fd works with O_PATH, fchmod(2) does not (open(2)). After chown(2), which clears setuid.
	return fileError("set mode of", path, unix.Chmod(procFD(fd), *a.Mode))
}

// fileError makes err, from the kernel, a refusal to do op with path.
func fileError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &host.Error{Op: op, Object: path, Err: bare(err), Kind: kind(err)}
}

// bare takes off what package os wraps around an errno: the operation and the path are said already.
func bare(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Err
	}
	return err
}
