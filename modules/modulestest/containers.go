package modulestest

import (
	"context"
	"fmt"
	"slices"

	"labctl/modules/host"
)

// ContainerImage is the image of the container suites: a busybox that sleeps until SIGTERM, with A=image in its environment and the
// label from=image.
const ContainerImage = "labctl-test"

// Containers returns the suites of the module container, and of a network module within containers.
func Containers() []Suite {
	with := func(params string) string { return `{"name":"web1","image":"` + ContainerImage + `"` + params + `}` }
	return []Suite{
		{Module: "container", Compare: compareContainers, States: append(states("container",
			with(`,"network":"none"`), with(`,"network":"none","state":"stopped"`), with(`,"network":"none","auto_remove":true`),
			with(`,"network":"none","environment":{"A":"image","B":"2"},"labels":{"lab":"11"},"hostname":"web"`), with(`,"network":"none","environment":{},"labels":{}`),
			with(`,"network":"none","command":["sleep","500"],"volumes":["/etc:/host:ro","/tmp:/there"],"privileged":false,"restart":"no"`),
			with(`,"network":"host","restart":"on-failure","privileged":false`), with(``)), Absent("container", `{"name":"web1"}`)),
			Rejects: []Reject{{`{"name":"web1"}`, "image"}, {`{"name":"a/b","image":"x"}`, "name"}, {with(`,"network":"container:x"`), "network"}, {with(`,"ports":["80"]`), "ports[0]"},
				{with(`,"ports":["80:x"]`), "ports[0]"}, {with(`,"ports":["80:80:80:80"]`), "ports[0]"}, {with(`,"ports":["::1:80:80"]`), "ports[0]"}, {with(`,"volumes":["/a"]`), "volumes[0]"}, {with(`,"volumes":["/a:/b:rx"]`), "volumes[0]"}, {with(`,"state":"paused"`), "state"},
				{with(`,"auto_remove":true,"state":"stopped"`), "auto_remove"}, {with(`,"auto_remove":true,"restart":"always"`), "restart"}, {with(`,"environment":{"A=":"1"}`), "environment"},
				{`{"name":"web1","image":"a b"}`, "image"}}},
		{Module: "container", Name: "container with ports", Compare: compareContainers, States: states("container", with(`,"network":"bridge","ports":["8080:80"]`),
			with(`,"network":"bridge","ports":["127.0.0.1:8081:80/tcp","8080:53/udp"]`), with(`,"network":"bridge","ports":[]`))},
		{Module: "veth", Name: "veth into a container", Compare: compareInside, Setup: func(ctx context.Context, h host.Host, _ string) error {
			c := host.Container{Name: "web1", Image: ContainerImage, Network: "none", Restart: "no"}
			if err := h.Containers().Create(ctx, c); err != nil {
				return err
			}
			return h.Containers().Start(ctx, c.Name)
		}, States: states("veth", `{"name":"v0","peer":"v1","peer_netns":"container:web1"}`, `{"name":"v0","peer":"v1","peer_netns":"container:web1","mtu":1400,"peer_mtu":1400}`,
			`{"name":"v0","peer":"v1","peer_netns":""}`)},
		{Module: "container", Name: "container with a veth", Compare: compareInside, Setup: func(ctx context.Context, h host.Host, _ string) error {
			c := host.Container{Name: "web1", Image: ContainerImage, Network: "none", Restart: "no"}
			if err := h.Containers().Create(ctx, c); err != nil {
				return err
			}
			if err := h.Containers().Start(ctx, c.Name); err != nil {
				return err
			}
			n, err := h.Net(ctx, "")
			if err != nil {
				return err
			}
			return n.Links().Create(ctx, host.Link{Name: "v0", Kind: "veth", Peer: &host.LinkRef{Name: "v1", NetNS: "container:web1"}})
		}, States: states("container", with(`,"network":"none"`), with(`,"network":"none","state":"stopped"`))},
	}
}

// compareContainers says how the containers of a model differ from those of its host, but for what a plan does not know.
func compareContainers(ctx context.Context, model, real host.Host) string {
	a, err := model.Containers().List(ctx)
	if err != nil {
		return "model: " + err.Error()
	}
	b, err := real.Containers().List(ctx)
	if err != nil {
		return "host: " + err.Error()
	}
	if x, y := containerLines(a), containerLines(b); !slices.Equal(x, y) {
		return fmt.Sprintf("model: %v\nhost:  %v", x, y)
	}
	return ""
}

func containerLines(all []host.Container) []string {
	var out []string
	for _, c := range all {
		c.PID, c.Status, c.Addresses, c.Hostname, c.Command, c.Image, c.Env = 0, 0, nil, "", nil, "", nil
		slices.Sort(c.Volumes)
		out = append(out, fmt.Sprintf("%+v", c))
	}
	slices.Sort(out)
	return out
}

// compareInside compares the containers, and what is in the namespace of web1.
func compareInside(ctx context.Context, model, real host.Host) string {
	if d := compareContainers(ctx, model, real); d != "" {
		return d
	}
	inside := func(h host.Host) (string, error) {
		n, err := h.Net(ctx, host.ContainerNetNS+"web1")
		if err != nil {
			return "none", nil //nolint:nilerr // it does not run
		}
		all, err := objects(ctx, n, allSysctls)
		if err != nil {
			return "", err
		}
		var out []string
		for _, o := range all {
			out = append(out, jsonOf(o))
		}
		slices.Sort(out)
		return fmt.Sprint(out), nil
	}
	a, err := inside(model)
	if err != nil {
		return "model: " + err.Error()
	}
	b, err := inside(real)
	if err != nil {
		return "host: " + err.Error()
	}
	if a != b {
		return "model: " + a + "\nhost:  " + b
	}
	return ""
}
