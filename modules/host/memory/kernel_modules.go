package memory

import (
	"context"

	"labctl/modules/host"
)

type kernelModules struct{ h *Host }

// KernelModules returns those of the base with what was loaded and unloaded here.
func (h *Host) KernelModules() host.KernelModules { return kernelModules{h} }

// Get takes what a snapshot does not know, and what packages installed here may have brought, to be available.
func (k kernelModules) Get(ctx context.Context, name string) (m host.KernelModule, err error) {
	k.h.mu.Lock()
	known, brought := k.h.kernel[name], k.h.packages.brought
	k.h.mu.Unlock()
	switch {
	case known != nil:
		return *known, nil
	case k.h.base != nil:
		m, err = k.h.base.KernelModules().Get(ctx, name)
	default:
		m, brought = host.KernelModule{Name: name}, true
		for _, one := range k.h.seed.KernelModules {
			if one.Name == name {
				m = one
			}
		}
	}
	m.Available = m.Available || brought
	return m, err
}

func (k kernelModules) set(ctx context.Context, name string, loaded bool) error {
	m, err := k.Get(ctx, name)
	if err != nil {
		return err
	}
	if loaded && !m.Available {
		return &host.Error{Op: "load kernel module", Object: name, Kind: host.ErrNotExist, Err: host.ErrNotExist}
	}
	if loaded {
		for _, n := range m.Depends {
			if err := k.set(ctx, n, true); err != nil {
				return err
			}
		}
	}
	k.h.mu.Lock()
	defer k.h.mu.Unlock()
	if k.h.kernel == nil {
		k.h.kernel = map[string]*host.KernelModule{}
	}
	m.Loaded, m.Available, m.Depends = loaded, true, nil
	k.h.kernel[name] = &m
	k.h.wrote()
	return nil
}

func (k kernelModules) Load(ctx context.Context, name string) error { return k.set(ctx, name, true) }

func (k kernelModules) Unload(ctx context.Context, name string) error {
	return k.set(ctx, name, false)
}

func (k kernelModules) List(ctx context.Context) ([]host.KernelModule, error) {
	if k.h.base != nil {
		return k.h.base.KernelModules().List(ctx)
	}
	return k.h.seed.KernelModules, nil
}
