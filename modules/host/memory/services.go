package memory

import (
	"context"
	"errors"
	"slices"

	"labctl/modules/host"
)

type services struct{ h *Host }

// Services returns the services of the base as they are after what was done here.
func (h *Host) Services() host.Services { return services{h} }

func (s services) base(ctx context.Context, name string) (host.Service, error) {
	if s.h.base != nil {
		return s.h.base.Services().Get(ctx, name)
	}
	for _, one := range s.h.seed.Services {
		if one.Name == name || one.Name+".service" == name {
			return one, nil
		}
	}
	return host.Service{}, &host.Error{Op: "read service", Object: name, Kind: host.ErrNotExist, Err: host.ErrNotExist}
}

// Get finds what is there, what a file written here makes, and what packages installed here may bring.
func (s services) Get(ctx context.Context, name string) (host.Service, error) {
	s.h.mu.Lock()
	known, brought := s.h.services[name], s.h.packages.brought
	s.h.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	have, err := s.base(ctx, name)
	switch {
	case err == nil:
		have.Stale = have.Stale || (on(have.Running) || on(have.Enabled)) && s.rewritten(ctx, name)
	case !errors.Is(err, host.ErrNotExist):
	case s.written(ctx, name):
		return host.Service{Name: name, Running: new(bool), Enabled: new(bool), Masked: new(bool)}, nil
	case brought:
		return host.Service{Name: name, Planned: true}, nil
	}
	return have, err
}

func on(b *bool) bool { return b != nil && *b }

// written tells whether the file of a service is there.
func (s services) written(ctx context.Context, name string) bool {
	return slices.ContainsFunc(host.ServiceFiles(name), func(p string) bool {
		_, err := s.h.Files().Stat(ctx, p, false)
		return err == nil
	})
}

// rewritten tells whether it is another one than that of the base.
func (s services) rewritten(ctx context.Context, name string) bool {
	return s.h.base != nil && slices.ContainsFunc(host.ServiceFiles(name), func(p string) bool {
		a, _ := s.h.Files().Stat(ctx, p, true)
		b, _ := s.h.base.Files().Stat(ctx, p, true)
		return a.SHA256 != b.SHA256
	})
}

// change lets do change what is known of a service.
func (s services) change(ctx context.Context, name string, do func(*host.Service)) error {
	have, err := s.Get(ctx, name)
	if err != nil {
		return err
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if s.h.services == nil {
		s.h.services = map[string]*host.Service{}
	}
	do(&have)
	have.Planned = false
	s.h.services[name] = &have
	s.h.wrote()
	return nil
}

func (s services) Set(ctx context.Context, want host.Service) error {
	return s.change(ctx, want.Name, func(have *host.Service) {
		for _, v := range []struct{ to, from **bool }{{&have.Running, &want.Running}, {&have.Enabled, &want.Enabled}, {&have.Masked, &want.Masked}} {
			if *v.from != nil {
				*v.to = *v.from
			}
		}
	})
}

func (s services) Act(ctx context.Context, action, name string) error {
	return s.change(ctx, name, func(have *host.Service) {
		switch {
		case action == host.DaemonReload:
			have.Stale = false
		case have.Running != nil || have.Planned:
			have.Running = ptr(true)
		}
	})
}

func (s services) List(ctx context.Context) ([]host.Service, error) {
	if s.h.base != nil {
		return s.h.base.Services().List(ctx)
	}
	return s.h.seed.Services, nil
}
