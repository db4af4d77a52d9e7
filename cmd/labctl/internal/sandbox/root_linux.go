package sandbox

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// blank lists the directories of this computer that a host starts without: people's own files,
// logs, and everything that belongs to what runs here now.
var blank = []string{"/root", "/home", "/mnt", "/media", "/srv", "/tmp", "/var/tmp", "/var/log", "/var/lib/labctl", "/run"}

// enterRoot gives the calling process a root of its own: an overlay of this computer's file
// systems whose changes live in memory, with fresh /proc, /sys, /dev and /run. scratch is a
// directory to mount on; nothing shows there outside this mount namespace.
func enterRoot(scratch string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	lowers, err := lowerMounts()
	if err != nil {
		return err
	}
	if err := mount("tmpfs", scratch, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	root := filepath.Join(scratch, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for i, lower := range lowers {
		if err := mountOverlay(lower, filepath.Join(scratch, strconv.Itoa(i)), filepath.Join(root, lower)); err != nil {
			return err
		}
	}
	if err := mountKernel(root); err != nil {
		return err
	}
	return pivot(root)
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		hint := ""
		if kind == "overlay" && errors.Is(err, unix.ENODEV) {
			hint = " (this kernel has no overlayfs: modprobe overlay)"
		}
		return fmt.Errorf("mount %s on %s: %w%s", kind, target, err, hint)
	}
	return nil
}

// lowerMounts lists the mount points that hold files, the root first. Kernel file systems and what a
// host starts without are left out, and so are files mounted on files.
func lowerMounts() ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list := []string{"/"}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		point, kind := parseMountinfo(lines.Text())
		if point == "/" || slices.Contains(list, point) || !storage[kind] || hidden(point) {
			continue
		}
		if info, err := os.Stat(point); err == nil && info.IsDir() {
			list = append(list, point)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	return list, nil
}

// storage lists the file systems that can be the lower layer of an overlay and are worth it.
var storage = map[string]bool{"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "f2fs": true, "zfs": true,
	"bcachefs": true, "overlay": true, "squashfs": true, "erofs": true, "virtiofs": true, "9p": true}

func hidden(point string) bool {
	for _, top := range append([]string{"/proc", "/sys", "/dev"}, blank...) {
		if point == top || strings.HasPrefix(point, top+"/") {
			return true
		}
	}
	return false
}

// parseMountinfo takes the mount point (field 5) and the type (first after the lone dash), see
// proc_pid_mountinfo(5).
func parseMountinfo(line string) (point, kind string) {
	before, after, _ := strings.Cut(line, " - ")
	if fields := strings.Fields(before); len(fields) > 4 {
		point = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
	}
	kind, _, _ = strings.Cut(after, " ")
	return point, kind
}

// mountOverlay mounts lower with its changes below scratch.
func mountOverlay(lower, scratch, target string) error {
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	for _, dir := range []string{scratch, upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := copyMode(lower, upper); err != nil {
		return err
	}
	for _, dir := range blank {
		if err := hide(lower, upper, dir); err != nil {
			return err
		}
	}
	if rest, err := filepath.Rel(lower, "/var/log"); err == nil && !strings.HasPrefix(rest, "..") {
		if err := keepDirectories("/var/log", filepath.Join(upper, rest)); err != nil {
			return err
		}
	}
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace
	return mount("overlay", target, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", escape(lower), escape(upper), escape(work)))
}

// hide makes dir, if it lies in lower, an empty directory of the upper layer: the kernel's
// Documentation/filesystems/overlayfs.rst calls it opaque.
func hide(lower, upper, dir string) error {
	rest, err := filepath.Rel(lower, dir)
	if info, e := os.Lstat(dir); err != nil || strings.HasPrefix(rest, "..") || e != nil || !info.IsDir() {
		return nil
	}
	at := lower
	for _, part := range strings.Split(rest, "/") {
		at, upper = filepath.Join(at, part), filepath.Join(upper, part)
		if err := os.Mkdir(upper, 0o755); err != nil && !os.IsExist(err) {
			return err
		}
		if err := copyMode(at, upper); err != nil {
			return err
		}
	}
	if err := unix.Setxattr(upper, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		return fmt.Errorf("hide %s: %w", dir, err)
	}
	return nil
}

// keepDirectories makes the directories of dir, if it has been hidden, empty ones of the upper layer: packages bring those that their
// services write logs to, and some do not start without (openvswitch-switch).
func keepDirectories(dir, upper string) error {
	if _, err := os.Stat(upper); err != nil {
		return nil //nolint:nilerr // it lies in another layer
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if err := os.Mkdir(filepath.Join(upper, e.Name()), 0o755); err != nil {
			return err
		}
		if err := copyMode(filepath.Join(dir, e.Name()), filepath.Join(upper, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// copyMode gives a directory of the upper layer the owner and the mode of the one it covers.
func copyMode(from, to string) error {
	var st unix.Stat_t
	if err := unix.Stat(from, &st); err != nil {
		return fmt.Errorf("stat %s: %w", from, err)
	}
	if err := unix.Chown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return unix.Chmod(to, st.Mode&0o7777)
}

// mountKernel mounts what the kernel shows and what a machine makes at boot.
func mountKernel(root string) error {
	for _, m := range []struct {
		path, kind string
		flags      uintptr
		data       string
	}{
		{"proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"dev", "tmpfs", unix.MS_NOSUID, "mode=0755"},
		{"dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	} {
		target := filepath.Join(root, m.path)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := mount(m.kind, target, m.kind, m.flags, m.data); err != nil {
			return err
		}
	}
	if err := makeDevices(filepath.Join(root, "dev")); err != nil {
		return err
	}
	return protect(filepath.Join(root, "proc"))
}

// makeDevices makes the nodes of Documentation/admin-guide/devices.rst that programs expect, and
// binds this computer's where node creation is denied.
func makeDevices(dev string) error {
	if err := os.MkdirAll(filepath.Join(dev, "net"), 0o755); err != nil {
		return err
	}
	for _, d := range []struct {
		name         string
		mode         uint32
		major, minor uint32
	}{
		{"null", 0o666, 1, 3}, {"zero", 0o666, 1, 5}, {"full", 0o666, 1, 7}, {"random", 0o666, 1, 8},
		{"urandom", 0o666, 1, 9}, {"kmsg", 0o644, 1, 11}, {"tty", 0o666, 5, 0}, {"net/tun", 0o666, 10, 200},
	} {
		path := filepath.Join(dev, d.name)
		err := unix.Mknod(path, unix.S_IFCHR|d.mode, int(unix.Mkdev(d.major, d.minor)))
		if err == nil {
			err = unix.Chmod(path, d.mode)
		} else if err = os.WriteFile(path, nil, 0o600); err == nil {
			err = ignore(unix.Mount("/dev/"+d.name, path, "", unix.MS_BIND, ""), unix.ENOENT)
		}
		if err != nil {
			return fmt.Errorf("make device %s: %w", d.name, err)
		}
	}
	for name, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

// protect makes the settings that belong to this computer rather than to a host read-only; those
// of the network stay writable.
func protect(proc string) error {
	for _, name := range []string{"sys/kernel", "sys/vm", "sys/fs", "sys/dev", "sys/debug", "sysrq-trigger"} {
		path := filepath.Join(proc, name)
		err := unix.Mount(path, path, "", unix.MS_BIND, "")
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err == nil {
			err = unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}
		if err != nil {
			return fmt.Errorf("protect /proc/%s: %w", name, err)
		}
	}
	return nil
}

// pivot makes root the root and lets go of the old one, which lies on top of it for a moment:
// pivot_root(2), "pivot_root(".", ".")".
func pivot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount old root: %w", err)
	}
	return unix.Chdir("/")
}
