package modules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Container]{
		Name: "container",
		Doc:  "Manages a container of Docker or Podman, by the API socket of whichever runs. Network modules reach into it with netns = \"container:NAME\".",
		Example: `container "web1" {
  image       = "nginx:latest"
  network     = "none"
  auto_remove = true
}
container "nginx" {
  image       = "nginx:latest"
  ports       = ["80:80", "127.0.0.1:8443:443"]
  volumes     = ["/srv/www:/usr/share/nginx/html:ro"]
  environment = { TZ = "UTC" }
  restart     = "unless-stopped"
}
`,
		Validate: (*Container).validate, Complete: (*Container).complete, Read: readContainer, ReadAbsent: noneUnsupported(readContainer), Apply: applyContainer, Warn: (*Container).warn, Fixed: fixedContainer,
	})
}

// Container is a container. All but its state is decided when it is made.
type Container struct {
	Name        string            `json:"name" lab:"key" doc:"Name of the container."`
	Image       string            `json:"image,omitempty" lab:"immutable" doc:"Image, as NAME[:TAG]. It is pulled only when the host does not have it; a container of another image than the host now has by that name is replaced."`
	State       *string           `json:"state,omitempty" enum:"running,stopped" default:"running" doc:"running: started if it is not. stopped: made, but its processes ended."`
	Network     *string           `json:"network,omitempty" lab:"immutable" doc:"none (loopback alone), bridge (the engine's own), host (no namespace of its own), or the name of a network; left alone if unset, the engine's own for a new one."`
	Ports       []string          `json:"ports,omitempty" lab:"immutable,set" doc:"Published ports, as [ADDRESS:]HOSTPORT:PORT[/udp]; left alone if unset."`
	Volumes     []string          `json:"volumes,omitempty" lab:"immutable,set" doc:"Mounts, as SOURCE:TARGET[:ro], where SOURCE is a path of the host or the name of a volume; left alone if unset."`
	Environment map[string]string `json:"environment,omitempty" lab:"immutable" doc:"Variables beside those of the image; left alone if unset."`
	Command     []string          `json:"command,omitempty" lab:"immutable" doc:"Command to run in place of the image's; left alone if unset."`
	AutoRemove  *bool             `json:"auto_remove,omitempty" lab:"immutable" doc:"Whether the container goes away when it stops; left alone if unset."`
	Restart     *string           `json:"restart,omitempty" lab:"immutable" enum:"no,always,unless-stopped,on-failure" doc:"When the engine starts it again; left alone if unset."`
	Privileged  *bool             `json:"privileged,omitempty" lab:"immutable" doc:"Whether it may do all that root may; left alone if unset."`
	Hostname    *string           `json:"hostname,omitempty" lab:"immutable,made_up" doc:"Host name inside; left alone if unset."`
	Labels      map[string]string `json:"labels,omitempty" lab:"immutable" doc:"Labels beside those of the image; left alone if unset."`
	PID         *int              `json:"pid,omitempty" lab:"computed,made_up" doc:"Process ID of its first process, while it runs."`
	Addresses   []string          `json:"addresses,omitempty" lab:"computed,made_up" doc:"Addresses that the engine gave it, without prefix length."`

	missing error // planning: why the host has no engine yet
}

func (c *Container) validate() error {
	if c.State == nil {
		c.State = ptr("running")
	}
	if !containerName(c.Name) {
		return argf("name", "%q is not a name of letters, digits, _ . and -", c.Name)
	}
	if strings.ContainsAny(c.Image, " \t\n?&#%\x00") {
		return argf("image", "%q is not the name of an image", c.Image)
	}
	if c.Network != nil && !containerName(*c.Network) {
		return argf("network", "%q is not none, bridge, host or the name of a network", *c.Network)
	}
	if is(c.AutoRemove) && *c.State == "stopped" {
		return argf("auto_remove", "a container that goes away when it stops cannot be kept stopped: use ensure = \"absent\"")
	}
	if is(c.AutoRemove) && c.Restart != nil && *c.Restart != "no" {
		return argf("restart", "a container that goes away when it stops cannot be started again")
	}
	for i := range c.Ports {
		if err := c.port(i); err != nil {
			return err
		}
	}
	for i := range c.Volumes {
		if err := c.volume(i); err != nil {
			return err
		}
	}
	return validEnvironment(c.Environment)
}

func is(b *bool) bool { return b != nil && *b }

// containerName reports whether engines take name: [a-zA-Z0-9][a-zA-Z0-9_.-]*.
func containerName(name string) bool {
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return name != "" && strings.Contains(alnum, name[:1]) && strings.Trim(name, alnum+"_.-") == ""
}

// port checks one published port and brings it into the form that the host gives back.
func (c *Container) port(i int) error {
	path, p := fmt.Sprintf("ports[%d]", i), c.Ports[i]
	p = strings.TrimSuffix(strings.TrimPrefix(p, "0.0.0.0:"), "/tcp")
	part := strings.Split(strings.TrimSuffix(p, "/udp"), ":")
	if len(part) < 2 {
		return argf(path, "%q is not [ADDRESS:]HOSTPORT:PORT[/udp]: say which port of the host, too", c.Ports[i])
	}
	if address := strings.Join(part[:len(part)-2], ":"); address != "" {
		addr, err := netip.ParseAddr(strings.Trim(address, "[]"))
		if err != nil || addr.Is6() != strings.HasPrefix(address, "[") {
			return argf(path, "%q is not an address, such as 127.0.0.1 or [::1]", address)
		}
	}
	for _, n := range part[len(part)-2:] {
		if v, err := strconv.Atoi(n); err != nil || v < 1 || v > 65535 || strconv.Itoa(v) != n {
			return argf(path, "%q is not [ADDRESS:]HOSTPORT:PORT[/udp]", c.Ports[i])
		}
	}
	c.Ports[i] = p
	return nil
}

func (c *Container) volume(i int) error {
	path, v := fmt.Sprintf("volumes[%d]", i), strings.TrimSuffix(c.Volumes[i], ":rw")
	part := strings.Split(v, ":")
	if len(part) < 2 || len(part) > 3 || part[0] == "" || !strings.HasPrefix(part[1], "/") || len(part) == 3 && part[2] != "ro" {
		return argf(path, "%q is not SOURCE:TARGET[:ro]", c.Volumes[i])
	}
	c.Volumes[i] = v
	return nil
}

func (c *Container) warn() []string {
	if c.missing == nil {
		return nil
	}
	return []string{fmt.Sprintf("planned as if Docker ran with no container, as of now: %v", c.missing)}
}

func (c *Container) complete() error {
	if c.Image == "" {
		return argf("image", "required argument is missing")
	}
	return nil
}

func readContainer(ctx context.Context, h host.Host, want *Container) (*Container, error) {
	if p, ok := h.(interface{ EngineMissing(context.Context) error }); ok {
		want.missing = p.EngineMissing(ctx)
	}
	c, err := h.Containers().Get(ctx, want.Name)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	have := &Container{
		Name: c.Name, Image: c.Image, State: ptr(map[bool]string{true: "running", false: "stopped"}[c.Running]), Network: &c.Network,
		Ports: append([]string{}, c.Ports...), Volumes: append([]string{}, c.Volumes...), AutoRemove: &c.AutoRemove, Restart: &c.Restart, Privileged: &c.Privileged,
		Addresses: c.Addresses,
	}
	if want.Command != nil { // otherwise it is the image's
		have.Command = append([]string{}, c.Command...)
	}
	if want.Hostname != nil {
		have.Hostname = &c.Hostname
	}
	if c.Running {
		have.PID = &c.PID
		if c.Addresses == nil && c.Network != "none" && c.Network != "host" {
			have.Addresses = []string{""} // not known yet
		}
	}
	if have.Image, err = imageInWordsOf(ctx, h, want.Image, c); err != nil {
		return nil, err
	}
	if want.Environment == nil && want.Labels == nil {
		return have, nil
	}
	img, err := h.Containers().Image(ctx, c.ImageID)
	if err != nil && !errors.Is(err, host.ErrNotExist) {
		return nil, err
	}
	have.Environment, have.Labels = beside(img.Env, c.Env, want.Environment), beside(img.Labels, c.Labels, want.Labels)
	return have, nil
}

// imageInWordsOf returns the name want if the container c is of the image that the host has by that name.
func imageInWordsOf(ctx context.Context, h host.Host, want string, c host.Container) (string, error) {
	same := want != "" && familiar(want) == familiar(c.Image)
	if want != "" && c.ImageID != "" {
		img, err := h.Containers().Image(ctx, want)
		switch {
		case errors.Is(err, host.ErrNotExist):
		case err != nil:
			return "", err
		case img.ID == c.ImageID:
			return want, nil
		case same:
			return strings.TrimPrefix(c.ImageID, "sha256:")[:12], nil // an older one of that name
		}
	}
	if same {
		return want, nil
	}
	return familiar(c.Image), nil
}

// familiar is the short form of an image's name: Podman gives the whole.
func familiar(image string) string {
	image = strings.TrimPrefix(strings.TrimPrefix(image, "docker.io/"), "library/")
	return strings.TrimSuffix(image, ":latest")
}

// ofEngine are variables that Podman adds on its own (podman-run(1), ENVIRONMENT).
var ofEngine = []string{"HOME", "HOSTNAME", "PATH", "TERM", "container"}

// beside returns what a container has beside what its image has, or has because want says the same as the image.
func beside(image, container, want map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range container {
		_, asked := want[k]
		if from, there := image[k]; asked || (!there || from != v) && !slices.Contains(ofEngine, k) {
			out[k] = v
		}
	}
	return out
}

// fixedContainer tells that a container that goes away when it stops can only be kept stopped as another one.
func fixedContainer(have, want *Container) []string {
	if is(have.AutoRemove) && *want.State == "stopped" {
		return []string{"state"}
	}
	return nil
}

func applyContainer(ctx context.Context, h host.Host, have, want *Container, _ Diff) error {
	cs := h.Containers()
	switch {
	case want == nil:
		return cs.Delete(ctx, have.Name)
	case have == nil:
		if err := cs.Create(ctx, want.container()); err != nil {
			return err
		}
	case *want.State == "stopped":
		return cs.Stop(ctx, want.Name)
	}
	if *want.State == "stopped" {
		return nil
	}
	if err := cs.Start(ctx, want.Name); err != nil {
		return err
	}
	return stillRuns(ctx, h, want.Name)
}

// stillRuns says how a container ended that did so at once.
func stillRuns(ctx context.Context, h host.Host, name string) error {
	c, err := h.Containers().Get(ctx, name)
	switch {
	case errors.Is(err, host.ErrNotExist):
		return fmt.Errorf("container %s: ended at once, and removed itself", name)
	case err == nil && !c.Running:
		return fmt.Errorf("container %s: ended at once, with status %d", name, c.Status)
	}
	return err
}

func (c *Container) container() host.Container {
	out := host.Container{Name: c.Name, Image: c.Image, Network: "bridge", Restart: "no", Ports: slices.Sorted(slices.Values(c.Ports)), Volumes: c.Volumes,
		Env: maps.Clone(c.Environment), Labels: maps.Clone(c.Labels), Command: c.Command, AutoRemove: is(c.AutoRemove), Privileged: is(c.Privileged)}
	if c.Network != nil {
		out.Network = *c.Network
	}
	if c.Restart != nil {
		out.Restart = *c.Restart
	}
	if c.Hostname != nil {
		out.Hostname = *c.Hostname
	}
	return out
}
