package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Net returns the namespace that ref names. What it opens stays open until Close, or until NetNS().Delete.
func (h *Host) Net(_ context.Context, ref string) (host.Net, error) {
	n, err := h.net(ref)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (h *Host) net(ref string) (*Net, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	path, err := h.nsPath(ref)
	if err != nil {
		return nil, noNetNS(ref, err)
	}
	if path == host.OwnNetNS {
		return h.self, h.selfErr
	}
	if n := h.nets[path]; n != nil {
		if sameNetNS(n.fd, path) {
			return n, nil
		}
		_ = n.close() // the name went away, or came back as another namespace
		delete(h.nets, path)
	}
	n, err := h.openNet(ref, path)
	if err != nil {
		return nil, err
	}
	if h.self != nil && n.ino == h.self.ino {
		return h.self, n.close()
	}
	h.nets[path] = n
	return n, nil
}

// nsPath turns a reference into the path of a namespace file.
func (h *Host) nsPath(ref string) (string, error) {
	if ref == "" || ref == host.OwnNetNS {
		return host.OwnNetNS, nil
	}
	if strings.HasPrefix(ref, "/") {
		return filepath.Clean(ref), nil
	}
	if pid, ok := strings.CutPrefix(ref, "pid:"); ok {
		if n, err := strconv.Atoi(pid); err != nil || n < 1 {
			return "", fmt.Errorf("process id %q: %w", pid, unix.EINVAL)
		}
		return "/proc/" + pid + "/ns/net", nil
	}
	if name, ok := strings.CutPrefix(ref, host.ContainerNetNS); ok {
		return h.containerNetNS(name)
	}
	if err := validName(ref); err != nil {
		return "", err
	}
	return filepath.Join(h.dir, ref), nil
}

func validName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("netns name %q: %w", name, unix.EINVAL)
	}
	return nil
}

// NetNS manages the named namespaces.
func (h *Host) NetNS() host.NetNSs { return netNSs{h} }

type netNSs struct{ h *Host }

func (m netNSs) List(context.Context) ([]string, error) {
	entries, err := os.ReadDir(m.h.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list netns: %w", err)
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		var fs unix.Statfs_t
		if unix.Statfs(filepath.Join(m.h.dir, e.Name()), &fs) == nil && fs.Type == unix.NSFS_MAGIC {
			out = append(out, e.Name())
		}
	}
	sort.Strings(out)
	return out, nil
}

// Create mounts a new namespace on /run/netns/NAME, as ip-netns(8) does, on a thread that ends with it.
func (m netNSs) Create(_ context.Context, name string) error {
	if err := validName(name); err != nil {
		return failed("create netns", name, err)
	}
	if err := m.h.shareDir(); err != nil {
		return failed("create netns", name, err)
	}
	m.h.writes.Add(1)
	path := filepath.Join(m.h.dir, name)
	if err := m.h.placeholder(path); err != nil {
		return failed("create netns", name, err)
	}
	err := onThrowAwayThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		return os.NewSyscallError("mount", unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, ""))
	})
	if err != nil {
		_ = os.Remove(path)
		return failed("create netns", name, err)
	}
	return nil
}

// placeholder makes the empty file that the namespace is mounted on. One that a namespace left behind is used again.
func (h *Host) placeholder(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0)
	if err == nil {
		return f.Close()
	}
	var fs unix.Statfs_t
	if errors.Is(err, os.ErrExist) && unix.Statfs(path, &fs) == nil && fs.Type != unix.NSFS_MAGIC {
		return nil
	}
	return err
}

// shareDir makes the directory of namespaces a mount of its own with shared propagation, so that a namespace deleted here
// is unmounted in every mount namespace (iproute2, ip/ipnetns.c).
func (h *Host) shareDir() error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", h.dir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Mount(h.dir, h.dir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	return os.NewSyscallError("mount", unix.Mount("", h.dir, "none", unix.MS_SHARED|unix.MS_REC, ""))
}

func (m netNSs) Delete(ctx context.Context, name string) error {
	if err := validName(name); err != nil {
		return failed("delete netns", name, err)
	}
	m.h.writes.Add(1)
	path := filepath.Join(m.h.dir, name)
	ends := m.h.otherEnds(ctx, name)
	m.h.forget(path)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return failed("delete netns", name, err)
	}
	if err := os.Remove(path); err != nil {
		return failed("delete netns", name, err)
	}
	return awaitGone(ctx, ends)
}

// end is a device outside of a namespace that goes with it.
type end struct {
	n     *Net
	name  string
	index int
}

// otherEnds lists the other ends of the veth pairs of a namespace that are in namespaces known here.
func (h *Host) otherEnds(ctx context.Context, name string) []end {
	n, err := h.net(name)
	if err != nil {
		return nil
	}
	all, err := n.Links().List(ctx)
	if err != nil {
		return nil
	}
	var out []end
	for _, l := range all {
		if l.Peer == nil || l.Peer.NetNS == "" || l.Peer.Name == "" {
			continue
		}
		other, err := h.net(l.Peer.NetNS)
		if err != nil {
			continue
		}
		if index, err := other.index(l.Peer.Name); err == nil {
			out = append(out, end{other, l.Peer.Name, index})
		}
	}
	return out
}

// awaitGone waits until devices are gone: the kernel takes a namespace down in the background, and until it has, the names
// of those devices are taken. When a process still holds the namespace they stay, so it waits for a moment only.
func awaitGone(ctx context.Context, ends []end) error {
	deadline := time.Now().Add(500 * time.Millisecond)
	for _, e := range ends {
		for time.Now().Before(deadline) {
			if index, err := e.n.index(e.name); err != nil || index != e.index {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}

// forget lets go of a namespace, which would otherwise outlive its name.
func (h *Host) forget(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nets[path]; n != nil {
		_ = n.close()
		delete(h.nets, path)
	}
}

// Scratch returns a namespace of our own that no one else uses, as a namespace is when just created. It goes with Close.
func (h *Host) Scratch(context.Context) (host.Net, error) {
	n, err := h.scratchNet()
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (h *Host) scratchNet() (*Net, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.anon != nil {
		return h.anon, nil
	}
	var fd int
	err := onThrowAwayThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, failed("create netns", "scratch", err)
	}
	h.anon, err = h.adopt("scratch", fd)
	return h.anon, err
}
