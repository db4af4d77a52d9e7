package memory

import (
	"context"
	"errors"
	"maps"
	"slices"

	"labctl/modules/host"
)

// processState is what was done to processes here.
type processState struct {
	made map[string]madeProcess
	gone map[string]bool
}

// madeProcess is a process with the namespace it was started in.
type madeProcess struct {
	host.Process
	at *Net
}

// Processes returns the processes of the host.
func (h *Host) Processes() host.Processes { return processes{h} }

type processes struct{ h *Host }

func noProcess(op, name string) error {
	return &host.Error{Op: op + " process", Object: name, Kind: host.ErrNotExist, Err: errNoFile}
}

func (p processes) List(ctx context.Context) ([]host.Process, error) {
	names := map[string]bool{}
	if p.h.seed != nil {
		for name := range p.h.seed.Processes {
			names[name] = true
		}
	}
	if p.h.base != nil {
		there, err := p.h.base.Processes().List(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range there {
			names[one.Name] = true
		}
	}
	for name := range p.h.processes.made {
		names[name] = true
	}
	out := []host.Process{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		one, err := p.Get(ctx, name)
		if errors.Is(err, host.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (p processes) Get(ctx context.Context, name string) (host.Process, error) {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	m, ok := p.h.processes.made[name]
	if !ok {
		if p.h.processes.gone[name] {
			return host.Process{}, noProcess("find", name)
		}
		one, err := p.belowLocked(ctx, name)
		if err != nil {
			return host.Process{}, err
		}
		m.Process = one
	}
	n, err := p.h.netLocked(ctx, m.NetNS)
	if err != nil || ok && n != m.at || p.h.created[canonical(m.NetNS)] && !ok {
		m.NetNS = host.MovedNetNS
	}
	return m.Process, nil
}

// belowLocked is a process that was there before.
func (p processes) belowLocked(ctx context.Context, name string) (host.Process, error) {
	if p.h.base != nil {
		return p.h.base.Processes().Get(ctx, name)
	}
	if p.h.seed != nil {
		if one, ok := p.h.seed.Processes[name]; ok {
			return one, nil
		}
	}
	return host.Process{}, noProcess("find", name)
}

func (p processes) Start(ctx context.Context, want host.Process) error {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	n, err := p.h.netLocked(ctx, want.NetNS)
	if err != nil {
		return err
	}
	if p.h.processes.made == nil {
		p.h.processes.made = map[string]madeProcess{}
	}
	want.PID = 0
	p.h.processes.made[want.Name] = madeProcess{want, n}
	p.h.wrote()
	return nil
}

func (p processes) Stop(ctx context.Context, name string) error {
	if _, err := p.Get(ctx, name); err != nil {
		return noProcess("stop", name)
	}
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	delete(p.h.processes.made, name)
	if p.h.processes.gone == nil {
		p.h.processes.gone = map[string]bool{}
	}
	p.h.processes.gone[name] = true
	p.h.wrote()
	return nil
}

// recordProcesses puts the processes of h into s.
func recordProcesses(ctx context.Context, h host.Host, s *host.Snapshot) error {
	all, err := h.Processes().List(ctx)
	if errors.Is(err, host.ErrPermission) {
		return nil
	}
	for _, p := range all {
		if s.Processes == nil {
			s.Processes = map[string]host.Process{}
		}
		s.Processes[p.Name] = p
	}
	return err
}
