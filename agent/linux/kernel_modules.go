package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

type kernelModules struct{ h *Host }

// KernelModules returns those of the running kernel.
func (h *Host) KernelModules() host.KernelModules { return kernelModules{h} }

// Get asks modprobe(8) only what /proc/modules and /sys/module, where those of the kernel itself are that have parameters, do not know.
func (k kernelModules) Get(ctx context.Context, name string) (host.KernelModule, error) {
	m := host.KernelModule{Name: name}
	all, err := k.List(ctx)
	if err != nil {
		return m, err
	}
	for _, one := range all {
		if one.Name == name {
			return one, nil
		}
	}
	if _, err := os.Stat("/sys/module/" + name); err == nil {
		m.Builtin = true
		return m, nil
	}
	path := k.h.lookTool("modprobe")
	if path == "" {
		return m, nil
	}
	out, err := runTool(ctx, path, "", "-D", name)
	if _, unknown := errors.AsType[*toolError](err); unknown {
		return m, nil
	}
	readShown(&m, out)
	return m, err
}

// readShown reads what modprobe -D says: "insmod FILE OPTIONS" of each that would be loaded, the module itself last, or "builtin NAME".
func readShown(m *host.KernelModule, out string) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		name, _, _ := strings.Cut(strings.ReplaceAll(filepath.Base(f[1]), "-", "_"), ".")
		m.Builtin = f[0] == "builtin"
		if m.Available = !m.Builtin; name != m.Name && m.Available {
			m.Depends = append(m.Depends, name)
		}
	}
}

// List reads proc_modules(5), which a kernel that can load none does not have.
func (k kernelModules) List(context.Context) ([]host.KernelModule, error) {
	b, err := os.ReadFile("/proc/modules")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fileError("read", "/proc/modules", err)
	}
	var out []host.KernelModule
	for line := range strings.Lines(string(b)) {
		if name, _, ok := strings.Cut(line, " "); ok {
			out = append(out, host.KernelModule{Name: name, Loaded: true, Available: true})
		}
	}
	return out, nil
}

func (k kernelModules) Load(ctx context.Context, name string) error {
	return k.h.tell(ctx, "load kernel module", name, "modprobe", name)
}

func (k kernelModules) Unload(_ context.Context, name string) error {
	k.h.writes.Add(1)
	err := unix.DeleteModule(name, unix.O_NONBLOCK)
	if errors.Is(err, unix.EAGAIN) {
		return &host.Error{Op: "unload kernel module", Object: name, Kind: host.ErrBusy, Err: fmt.Errorf("something uses it: %w", err)}
	}
	return failed("unload kernel module", name, err)
}
