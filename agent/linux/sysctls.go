package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

const procSys = "/proc/sys"

// Sysctls returns the kernel parameters as seen from the namespace. /proc/sys/net shows the namespace of the thread that
// opens a file, so every access happens on a thread that is there.
func (n *Net) Sysctls() host.Sysctls { return sysctls{n} }

type sysctls struct{ *Net }

// swap exchanges dots and slashes: the two spellings of a key (sysctl(8)).
var swap = strings.NewReplacer(".", "/", "/", ".")

// sysctlPath returns the file of a key.
func sysctlPath(key string) (string, error) {
	rel := swap.Replace(key)
	if rel == "" || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("key %q: %w", key, unix.EINVAL)
	}
	return filepath.Join(procSys, rel), nil
}

func (s sysctls) Get(_ context.Context, key string) (string, error) {
	path, err := sysctlPath(key)
	if err != nil {
		return "", failed("read sysctl", key, err)
	}
	var b []byte
	err = s.h.inNetNS(s.fd, func() (err error) {
		b, err = readSysctl(path)
		return err
	})
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOTDIR) {
		err = unix.ENOENT
	}
	return sysctlText(b), failed("read sysctl", key, cause(err))
}

// readSysctl reads a file of /proc/sys in three system calls, of which there are hundreds for each device: os.ReadFile makes ten.
// What there is comes with the first read, unless the buffer is full (proc_sys_call_handler, fs/proc/proc_sysctl.c).
func readSysctl(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var page [4096]byte
	n, err := unix.Read(fd, page[:])
	if err == nil && n == len(page) {
		return os.ReadFile(path)
	}
	return slices.Clone(page[:max(n, 0)]), err
}

// cause drops the path from a file error: the caller names the key.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func sysctlText(b []byte) string {
	return strings.ReplaceAll(strings.TrimRight(string(b), "\n"), "\t", " ")
}

func (s sysctls) Set(_ context.Context, key, value string) error {
	path, err := sysctlPath(key)
	if err != nil {
		return failed("write sysctl", key, err)
	}
	s.h.writes.Add(1)
	err = s.h.inNetNS(s.fd, func() error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if errors.Is(err, unix.EROFS) && key == "kernel.hostname" { // in a container it has its own UTS namespace for that
			return os.NewSyscallError("sethostname", unix.Sethostname([]byte(value)))
		}
		if err != nil {
			return err
		}
		_, err = f.WriteString(value + "\n")
		return errors.Join(err, f.Close())
	})
	return failed("write sysctl", key+"="+value, cause(err))
}

func (s sysctls) All(ctx context.Context, prefix string) (map[string]string, error) {
	if prefix == "" {
		prefix = "net"
	}
	root, err := sysctlPath(prefix)
	if err != nil {
		return nil, failed("list sysctls", prefix, err)
	}
	out := map[string]string{}
	err = s.h.inNetNS(s.fd, func() error {
		return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil && path == root:
				return err
			case err != nil || d.IsDir(): // devices come and go while we walk
				return nil
			}
			if b, err := readSysctl(path); err == nil { // some are for writing only
				out[swap.Replace(strings.TrimPrefix(path, procSys+"/"))] = sysctlText(b)
			}
			return nil
		})
	})
	return out, failed("list sysctls", prefix, cause(err))
}
