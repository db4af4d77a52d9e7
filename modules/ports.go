package modules

import (
	"context"
	"fmt"
	"slices"

	"labctl/modules/host"
)

// ports is embedded by devices that others are attached to.
type ports struct {
	Ports []string `json:"ports,omitempty" lab:"set" doc:"Exact set of attached devices, [] for none; left alone if unset."`
}

func (p *ports) portList() *[]string { return &p.Ports }

// master is a *T that embeds ports.
type master interface{ portList() *[]string }

func (p *ports) validate(name string) error {
	for i, port := range p.Ports {
		path := fmt.Sprintf("ports[%d]", i)
		if err := validDevice(path, port); err != nil {
			return err
		}
		if port == name || slices.Contains(p.Ports[:i], port) {
			return argf(path, "%q is there twice", port)
		}
	}
	return nil
}

// readPorts fills have with the ports of the device called name, if want says what they should be: that costs a look at
// every device there is.
func readPorts(ctx context.Context, n host.Net, name string, want, have any) (err error) {
	w, ok := want.(master)
	if !ok || *w.portList() == nil {
		return nil
	}
	*have.(master).portList(), err = n.Links().Ports(ctx, name)
	return err
}

// createMaster makes l with its ports. An MTU given at creation would follow that of the ports all the same.
func createMaster(ctx context.Context, h host.Host, n host.Net, netns string, l host.Link, ports []string) error {
	mtu := l.MTU
	l.MTU = nil
	if err := n.Links().Create(ctx, l); err != nil {
		return err
	}
	if err := setPorts(ctx, h, n, netns, l, ports); err != nil {
		return err
	}
	return setDevice(ctx, n, host.Link{Name: l.Name, Kind: l.Kind, MTU: mtu})
}

// setPorts attaches what is missing before it releases what is too much.
func setPorts(ctx context.Context, h host.Host, n host.Net, netns string, l host.Link, want []string) error {
	if want == nil {
		return nil
	}
	have, err := n.Links().Ports(ctx, l.Name)
	if err != nil {
		return err
	}
	for _, p := range want {
		if !slices.Contains(have, p) {
			err := keepReachable(ctx, h, n, netns, host.Link{Name: p, Master: &l.Name})
			if err == nil {
				err = attach(ctx, n, l, p)
			}
			if err != nil {
				return fmt.Errorf("attach port: %w", err)
			}
		}
	}
	for _, p := range have {
		if !slices.Contains(want, p) {
			if err := n.Links().Set(ctx, host.Link{Name: p, Master: ptr("")}); err != nil {
				return fmt.Errorf("release port: %w", err)
			}
		}
	}
	return nil
}

// attach makes port a port of l. A bond and a team take it only while it is down, and bring it up themselves
// (bond_enslave, drivers/net/bonding/bond_main.c; team_port_add). One that they do not take comes up again.
func attach(ctx context.Context, n host.Net, l host.Link, port string) error {
	to := host.Link{Name: port, Master: &l.Name}
	if l.Kind != "bond" && l.Kind != "team" {
		return n.Links().Set(ctx, to)
	}
	was, _ := n.Links().Get(ctx, port) // if it is not there, Set says so
	if err := n.Links().Set(ctx, host.Link{Name: port, Up: ptr(false)}); err != nil {
		return err
	}
	err := n.Links().Set(ctx, to)
	if err != nil && is(was.Up) {
		_ = n.Links().Set(ctx, host.Link{Name: port, Up: ptr(true)})
	}
	return err
}
