package linux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// containers is host.Containers by the API of Docker (Engine API 1.24 and later, and Podman's that is like it).
type containers struct {
	h *Host
	*engine
}

// Containers returns the containers of the engine of this host.
func (h *Host) Containers() host.Containers { return containers{h, &h.engine} }

// inspected is what the engine says of a container.
type inspected struct {
	Name, Image string // "/web1", the image's ID
	State       struct {
		Running       bool
		Pid, ExitCode int
	}
	Config     containerConfig
	HostConfig hostConfig

	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
	}
}

type containerConfig struct {
	Image        string
	Hostname     string              `json:"Hostname,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
}

type hostConfig struct {
	NetworkMode   string
	AutoRemove    bool
	Privileged    bool
	Binds         []string                 `json:"Binds,omitempty"`
	PortBindings  map[string][]portBinding `json:"PortBindings,omitempty"`
	RestartPolicy struct{ Name string }
}

type portBinding struct{ HostIp, HostPort string } //nolint:revive,staticcheck // the engine's spelling

func (c containers) Get(ctx context.Context, name string) (host.Container, error) {
	var in inspected
	if err := c.call(ctx, "GET", "/containers/"+name+"/json", nil, &in); err != nil {
		return host.Container{}, containerError("read", name, err)
	}
	return in.container(), nil
}

func containerError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &host.Error{Op: op + " container", Object: name, Kind: kind(err), Err: err}
	if refused, ok := err.(*host.Error); ok && refused.Op == engineOp { //nolint:errorlint // not one that says more
		e.Err = refused.Err
	}
	return e
}

func (in *inspected) container() host.Container {
	out := host.Container{
		Name: strings.TrimPrefix(in.Name, "/"), Image: in.Config.Image, ImageID: in.Image, Network: in.HostConfig.NetworkMode,
		Env: variables(in.Config.Env), Labels: in.Config.Labels, Command: in.Config.Cmd, AutoRemove: in.HostConfig.AutoRemove,
		Restart: in.HostConfig.RestartPolicy.Name, Privileged: in.HostConfig.Privileged, Hostname: in.Config.Hostname,
		Running: in.State.Running, PID: in.State.Pid, Status: in.State.ExitCode, Addresses: []string{},
	}
	if out.Network == "default" {
		out.Network = "bridge"
	}
	if out.Restart == "" {
		out.Restart = "no"
	}
	for port, bindings := range in.HostConfig.PortBindings {
		for _, b := range bindings {
			out.Ports = append(out.Ports, published(b, port))
		}
	}
	slices.Sort(out.Ports)
	for _, b := range in.HostConfig.Binds {
		out.Volumes = append(out.Volumes, volume(b))
	}
	for _, name := range slices.Sorted(maps.Keys(in.NetworkSettings.Networks)) {
		n := in.NetworkSettings.Networks[name]
		for _, a := range []string{n.IPAddress, n.GlobalIPv6Address} {
			if a != "" {
				out.Addresses = append(out.Addresses, a)
			}
		}
	}
	return out
}

// published writes a port as [ADDRESS:]HOSTPORT:PORT[/udp].
func published(b portBinding, port string) string {
	out := b.HostPort + ":" + strings.TrimSuffix(port, "/tcp")
	switch {
	case b.HostIp == "" || b.HostIp == "0.0.0.0":
		return out
	case strings.Contains(b.HostIp, ":"):
		return "[" + b.HostIp + "]:" + out
	}
	return b.HostIp + ":" + out
}

// binding takes apart what published writes.
func binding(port string) (string, portBinding) {
	i := strings.LastIndexByte(port, ':')
	inside, b := port[i+1:], portBinding{HostPort: port[:i]}
	if j := strings.LastIndexByte(b.HostPort, ':'); j >= 0 {
		b.HostIp, b.HostPort = strings.Trim(b.HostPort[:j], "[]"), b.HostPort[j+1:]
	}
	if !strings.Contains(inside, "/") {
		inside += "/tcp"
	}
	return inside, b
}

// volume writes a mount as SOURCE:TARGET[:ro]: Podman adds how it is mounted by default.
func volume(bind string) string {
	part := strings.SplitN(bind, ":", 3)
	if len(part) == 3 && !slices.Contains(strings.Split(part[2], ","), "ro") {
		part = part[:2]
	} else if len(part) == 3 {
		part[2] = "ro"
	}
	return strings.Join(part, ":")
}

func variables(list []string) map[string]string {
	out := make(map[string]string, len(list))
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		out[name] = value
	}
	return out
}

func (c containers) List(ctx context.Context) ([]host.Container, error) {
	var all []struct{ Id string } //nolint:revive,staticcheck // the engine's spelling
	if err := c.call(ctx, "GET", "/containers/json?all=1", nil, &all); err != nil {
		return nil, containerError("list", "", err)
	}
	out := []host.Container{}
	for _, e := range all {
		one, err := c.Get(ctx, e.Id)
		if errors.Is(err, host.ErrNotExist) {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (c containers) Image(ctx context.Context, ref string) (host.Image, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.images[ref]; ok {
		return known, nil
	}
	var in struct {
		ID     string `json:"Id"`
		Config struct {
			Env, Cmd []string
			Labels   map[string]string
		}
	}
	if err := c.call(ctx, "GET", "/images/"+ref+"/json", nil, &in); err != nil {
		return host.Image{}, containerError("read image of", ref, err)
	}
	out := host.Image{ID: in.ID, Env: variables(in.Config.Env), Labels: in.Config.Labels, Command: in.Config.Cmd}
	c.images[out.ID] = out // by its ID alone: a name can come to mean another image
	return out, nil
}

func (c containers) Create(ctx context.Context, want host.Container) error {
	c.h.writes.Add(1)
	if _, err := c.Image(ctx, want.Image); errors.Is(err, host.ErrNotExist) {
		err = c.pull(ctx, want.Image)
		if err != nil {
			return containerError("create", want.Name, err)
		}
	} else if err != nil {
		return err
	}
	body := struct {
		containerConfig
		HostConfig hostConfig
	}{
		containerConfig{Image: want.Image, Hostname: want.Hostname, Cmd: want.Command, Labels: want.Labels},
		hostConfig{NetworkMode: want.Network, AutoRemove: want.AutoRemove, Privileged: want.Privileged, Binds: want.Volumes},
	}
	for _, name := range slices.Sorted(maps.Keys(want.Env)) {
		body.Env = append(body.Env, name+"="+want.Env[name])
	}
	body.HostConfig.RestartPolicy.Name = want.Restart
	body.ExposedPorts, body.HostConfig.PortBindings = map[string]struct{}{}, map[string][]portBinding{}
	for _, p := range want.Ports {
		inside, b := binding(p)
		body.ExposedPorts[inside] = struct{}{}
		body.HostConfig.PortBindings[inside] = append(body.HostConfig.PortBindings[inside], b)
	}
	return containerError("create", want.Name, c.call(ctx, "POST", "/containers/create?name="+want.Name, body, nil))
}

func (c containers) Start(ctx context.Context, name string) error {
	c.h.writes.Add(1)
	return containerError("start", name, c.call(ctx, "POST", "/containers/"+name+"/start", nil, nil))
}

func (c containers) Stop(ctx context.Context, name string) error {
	have, err := c.Get(ctx, name)
	if err != nil {
		return err
	}
	return c.ending(ctx, have, func() error {
		if err := c.call(ctx, "POST", "/containers/"+name+"/stop", nil, nil); err != nil {
			return containerError("stop", name, err)
		}
		return c.await(ctx, name, have.AutoRemove)
	})
}

func (c containers) Delete(ctx context.Context, name string) error {
	have, err := c.Get(ctx, name)
	if err != nil {
		return err
	}
	return c.ending(ctx, have, func() error {
		err := c.call(ctx, "DELETE", "/containers/"+name+"?force=1&v=1", nil, nil)
		if err != nil && !errors.Is(err, host.ErrExist) && !errors.Is(err, host.ErrNotExist) { // 409: it is going already
			return containerError("delete", name, err)
		}
		return c.await(ctx, name, true)
	})
}

// await waits until a container that removes itself is gone.
func (c containers) await(ctx context.Context, name string, gone bool) error {
	for deadline := time.Now().Add(10 * time.Second); gone && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := c.Get(ctx, name); err != nil {
			if errors.Is(err, host.ErrNotExist) {
				return nil
			}
			return err
		}
	}
	return nil // reading it again will tell
}

// ending lets go of the namespace of a container that do ends, and waits until the devices that go with it are gone.
func (c containers) ending(ctx context.Context, have host.Container, do func() error) error {
	c.h.writes.Add(1)
	var ends []end
	if have.Running && have.Network != "host" {
		ref := host.ContainerNetNS + have.Name
		ends = c.h.otherEnds(ctx, ref)
		c.h.forget(netnsOf(have.PID))
	}
	if err := do(); err != nil {
		return err
	}
	return awaitGone(ctx, ends)
}

func netnsOf(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/ns/net" }

// containerNetNS returns the path of the namespace of a container, which is another one each time that it starts.
func (h *Host) containerNetNS(name string) (string, error) {
	if name == "" || strings.ContainsAny(name, "/?#% ") {
		return "", fmt.Errorf("container name %q: %w", name, unix.EINVAL)
	}
	path := h.engine.paths[name]
	if n := h.nets[path]; n != nil && sameNetNS(n.fd, path) {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := h.Containers().Get(ctx, name)
	switch {
	case err != nil:
		return "", err
	case !c.Running:
		return "", fmt.Errorf("container %s does not run", name)
	}
	h.engine.paths[name] = netnsOf(c.PID)
	return h.engine.paths[name], nil
}
