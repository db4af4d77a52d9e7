package memory

import (
	"context"
	"errors"
	"maps"
	"slices"

	"labctl/modules/host"
)

// containerState is what was done to containers here.
type containerState struct {
	made map[string]host.Container
	gone map[string]bool
}

// Containers returns the containers of the host.
func (h *Host) Containers() host.Containers { return containers{h} }

type containers struct{ h *Host }

// Engine is that of the base. Where none answers, one is yet to be installed: the model takes it to be Docker.
func (c containers) Engine(ctx context.Context) (string, error) {
	if c.h.base != nil {
		name, err := c.h.base.Containers().Engine(ctx)
		if !errors.Is(err, host.ErrUnsupported) {
			return name, err
		}
	}
	return "docker", nil
}

// EngineMissing tells why no engine answers on the base; nil when one does.
func (h *Host) EngineMissing(ctx context.Context) error {
	if h.base == nil {
		return nil
	}
	if _, err := h.base.Containers().Engine(ctx); errors.Is(err, host.ErrUnsupported) {
		return err
	}
	return nil
}

func noContainer(op, name string) error {
	return &host.Error{Op: op + " container", Object: name, Kind: host.ErrNotExist, Err: errors.New("No such container: " + name)} //nolint:revive,staticcheck // the engine's words
}

func (c containers) List(ctx context.Context) ([]host.Container, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	all := map[string]host.Container{}
	if c.h.seed != nil {
		maps.Copy(all, c.h.seed.Containers)
	}
	if c.h.base != nil {
		there, err := c.h.base.Containers().List(ctx)
		if err != nil && !errors.Is(err, host.ErrUnsupported) {
			return nil, err
		}
		for _, one := range there {
			all[one.Name] = one
		}
	}
	maps.DeleteFunc(all, func(name string, _ host.Container) bool { return c.h.containers.gone[name] })
	maps.Copy(all, c.h.containers.made)
	out := make([]host.Container, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name])
	}
	return out, nil
}

func (c containers) Get(ctx context.Context, name string) (host.Container, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	return c.h.containerLocked(ctx, name)
}

func (h *Host) containerLocked(ctx context.Context, name string) (host.Container, error) {
	if c, ok := h.containers.made[name]; ok {
		return c, nil
	}
	if h.containers.gone[name] {
		return host.Container{}, noContainer("read", name)
	}
	if h.seed != nil {
		if c, ok := h.seed.Containers[name]; ok {
			return c, nil
		}
	}
	if h.base != nil {
		c, err := h.base.Containers().Get(ctx, name)
		if !errors.Is(err, host.ErrUnsupported) {
			return c, err
		}
	}
	return host.Container{}, noContainer("read", name)
}

// Image is that of the base. One that is not there is known when it has been pulled, by an apply.
func (c containers) Image(ctx context.Context, ref string) (host.Image, error) {
	if c.h.base != nil {
		img, err := c.h.base.Containers().Image(ctx, ref)
		if !errors.Is(err, host.ErrUnsupported) {
			return img, err
		}
	}
	if c.h.seed != nil {
		for _, one := range c.h.seed.Containers {
			if one.Image == ref || one.ImageID == ref {
				return host.Image{ID: one.ImageID}, nil
			}
		}
	}
	return host.Image{}, &host.Error{Op: "read image of", Object: ref, Kind: host.ErrNotExist, Err: errNoFile}
}

func (c containers) Create(ctx context.Context, want host.Container) error {
	img, err := c.Image(ctx, want.Image)
	if err != nil && !errors.Is(err, host.ErrNotExist) {
		return err
	}
	want.ImageID, want.Running, want.PID, want.Addresses = img.ID, false, 0, nil
	want.Env, want.Labels = over(img.Env, want.Env), over(img.Labels, want.Labels)
	if want.Command == nil {
		want.Command = img.Command
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	if _, err := c.h.containerLocked(ctx, want.Name); err == nil {
		return &host.Error{Op: "create container", Object: want.Name, Kind: host.ErrExist, Err: errExist}
	}
	c.h.setContainerLocked(want)
	return nil
}

// over returns a with b over it.
func over(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, b)
	return out
}

func (h *Host) setContainerLocked(c host.Container) {
	if h.containers.made == nil {
		h.containers.made = map[string]host.Container{}
	}
	h.containers.made[c.Name] = c
	h.wrote()
}

// Start gives the container a namespace as its engine does: Docker has IPv6 off in it until a network has it (libnetwork).
func (c containers) Start(ctx context.Context, name string) error {
	engine, err := c.Engine(ctx)
	if err != nil {
		return err
	}
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	one, err := c.h.containerLocked(ctx, name)
	if err != nil {
		return noContainer("start", name)
	}
	if one.Running {
		return nil
	}
	one.Running, one.PID, one.Status = true, 0, 0
	c.h.setContainerLocked(one)
	if one.Network == "host" {
		return nil
	}
	n, err := c.h.freshLocked(ctx, host.ContainerNetNS+name)
	if err != nil {
		return err
	}
	if err := n.loadLocked(ctx); err != nil {
		return err
	}
	return n.containLocked(ctx, engine, one.Network)
}

// containLocked makes a new namespace that of a container.
func (n *Net) containLocked(ctx context.Context, engine, network string) error {
	var keys [][2]string
	if engine == "docker" {
		keys = [][2]string{{"net.ipv6.conf.all.disable_ipv6", "1"}, {"net.ipv4.ip_unprivileged_port_start", "0"}, {"net.ipv4.ping_group_range", "0 2147483647"}}
	}
	for _, kv := range keys {
		if err := n.setSysctlLocked(ctx, kv[0], kv[1]); err != nil && !errors.Is(err, host.ErrNotExist) {
			return err
		}
	}
	if network != "none" {
		eth := n.defaultsLocked(host.Link{Name: "eth0", Kind: "veth"})
		eth.Peer = &host.LinkRef{NetNS: "nsid:0"}
		eth.Up = ptr(true)
		n.links = append(n.links, eth)
	}
	return n.setLocked(ctx, n.findLocked("lo"), host.Link{Up: ptr(true)}, "set link")
}

// endLocked takes away the namespace of a container that ends.
func (h *Host) endLocked(ctx context.Context, c host.Container) error {
	if !c.Running || c.Network == "host" {
		return nil
	}
	return h.dropLocked(ctx, host.ContainerNetNS+c.Name)
}

func (c containers) Stop(ctx context.Context, name string) error {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	one, err := c.h.containerLocked(ctx, name)
	if err != nil {
		return noContainer("stop", name)
	}
	if err := c.h.endLocked(ctx, one); err != nil {
		return err
	}
	one.Running, one.PID, one.Addresses = false, 0, []string{}
	if one.AutoRemove {
		c.h.removeContainerLocked(name)
		return nil
	}
	c.h.setContainerLocked(one)
	return nil
}

func (c containers) Delete(ctx context.Context, name string) error {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	one, err := c.h.containerLocked(ctx, name)
	if err != nil {
		return noContainer("delete", name)
	}
	if err := c.h.endLocked(ctx, one); err != nil {
		return err
	}
	c.h.removeContainerLocked(name)
	return nil
}

func (h *Host) removeContainerLocked(name string) {
	delete(h.containers.made, name)
	if h.containers.gone == nil {
		h.containers.gone = map[string]bool{}
	}
	h.containers.gone[name] = true
	h.wrote()
}

// recordContainers puts the containers of h into s, and returns references to the namespaces of those that run.
func recordContainers(ctx context.Context, h host.Host, s *host.Snapshot) ([]string, error) {
	all, err := h.Containers().List(ctx)
	if errors.Is(err, host.ErrUnsupported) || errors.Is(err, host.ErrPermission) {
		return nil, nil
	}
	var running []string
	for _, c := range all {
		if s.Containers == nil {
			s.Containers = map[string]host.Container{}
		}
		s.Containers[c.Name] = c
		if c.Running && c.Network != "host" {
			running = append(running, host.ContainerNetNS+c.Name)
		}
	}
	return running, err
}
