package modules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"labctl/modules/host"
)

// device is embedded by every module that manages a network device: what ip-link(8) can set on any kind.
type device struct {
	MTU          *int    `json:"mtu,omitempty" doc:"Maximum transmission unit in bytes; left alone if unset."`
	Address      *string `json:"address,omitempty" lab:"made_up" doc:"Link layer (MAC) address; left alone if unset."`
	Alias        *string `json:"alias,omitempty" doc:"Description of the device (ifalias); left alone if unset."`
	TxQueueLen   *int    `json:"txqueuelen,omitempty" doc:"Length of the transmit queue in packets; left alone if unset."`
	Group        *int    `json:"devgroup,omitempty" doc:"Device group number (ip-link(8) group); left alone if unset."`
	Promisc      *bool   `json:"promisc,omitempty" doc:"Promiscuous mode; left alone if unset."`
	AllMulticast *bool   `json:"allmulticast,omitempty" doc:"Reception of all multicast frames; left alone if unset."`
}

// madeUp is embedded by modules that create devices: those are meant to work, so they come up.
type madeUp struct {
	Up *bool `json:"up,omitempty" default:"true" doc:"Administrative state."`
}

func (u *madeUp) validate() {
	if u.Up == nil {
		u.Up = ptr(true)
	}
}

// portOf is embedded by devices that can be attached to a bridge.
type portOf struct {
	Master *string `json:"master,omitempty" doc:"Bridge that the device is attached to, \"\" for none; left alone if unset."`
}

func ptr[T any](v T) *T { return &v }

// validDevice refuses names that no Linux device can have.
func validDevice(path, name string) error {
	switch {
	case len(name) > 15:
		return argf(path, "%q is longer than 15 characters, the most that a device name can have", name)
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/: \t\n\v\f\r\x00"):
		return argf(path, "%q is not a device name", name)
	}
	return nil
}

func (p *portOf) validate() error {
	if p.Master == nil || *p.Master == "" {
		return nil
	}
	return validDevice("master", *p.Master)
}

func (d *device) validate() error {
	if d.Address != nil {
		mac, err := validMAC("address", *d.Address)
		if err != nil {
			return err
		}
		d.Address = &mac
	}
	if d.Alias != nil && len(*d.Alias) > 255 {
		return argf("alias", "longer than 255 bytes")
	}
	return firstFault(inRange("mtu", d.MTU, 68, 65575), inRange("txqueuelen", d.TxQueueLen, 0, 1<<31-1), inRange("devgroup", d.Group, 0, 1<<31-1))
}

// validMAC returns a unicast MAC address in the spelling of the kernel.
func validMAC(path, text string) (string, error) {
	mac, ok := host.ParseMAC(text)
	if !ok {
		return "", argf(path, "%q is not a MAC address such as \"02:00:00:00:00:01\"", text)
	}
	if mac[0]&1 != 0 {
		return "", argf(path, "%q is a multicast address; a device needs a unicast one, whose first byte is even", text)
	}
	return host.MAC(mac), nil
}

func inRange(path string, v *int, low, high int) error {
	if v == nil || *v >= low && *v <= high {
		return nil
	}
	return argf(path, "%d is not between %d and %d", *v, low, high)
}

// firstFault keeps one fault of several: an *ArgumentError carries one path.
func firstFault(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readDevice returns what is there of l.
func readDevice(l host.Link) device {
	return device{MTU: l.MTU, Address: l.Address, Alias: l.Alias, TxQueueLen: l.TxQueueLen, Group: l.Group, Promisc: l.Promisc, AllMulticast: l.AllMulti}
}

// into puts into l what differs and is set; d == nil: all that is set.
func (d *device) into(l *host.Link, diff *Diff) {
	differs := func(path string) bool { return diff == nil || diff.Has(path) }
	if differs("mtu") {
		l.MTU = d.MTU
	}
	if differs("address") {
		l.Address = d.Address
	}
	if differs("alias") {
		l.Alias = d.Alias
	}
	if differs("txqueuelen") {
		l.TxQueueLen = d.TxQueueLen
	}
	if differs("devgroup") {
		l.Group = d.Group
	}
	if differs("promisc") {
		l.Promisc = d.Promisc
	}
	if differs("allmulticast") {
		l.AllMulti = d.AllMulticast
	}
}

func (u *madeUp) into(l *host.Link, diff *Diff) {
	if diff == nil || diff.Has("up") {
		l.Up = u.Up
	}
}

func (p *portOf) into(l *host.Link, diff *Diff) {
	if diff == nil || diff.Has("master") {
		l.Master = p.Master
	}
}

// empty reports whether a Set of l would change nothing.
func empty(l host.Link) bool {
	l.Name, l.Kind = "", ""
	return reflect.ValueOf(l).IsZero()
}

// getDevice returns a device that must be of one kind; nil when it does not exist.
func getDevice(ctx context.Context, n host.Net, name, kind string) (*host.Link, error) {
	l, err := n.Links().Get(ctx, name)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if kind != "" && l.Kind != kind {
		return nil, fmt.Errorf("device %s: is %s, not %s: remove it or take another name", name, kindName(l), kind)
	}
	return &l, nil
}

// findDevice is getDevice in the namespace of a task.
func (n InNetNS) findDevice(ctx context.Context, h host.Host, name, kind string) (*host.Link, error) {
	at, err := n.net(ctx, h)
	if err != nil {
		return nil, err
	}
	return getDevice(ctx, at, name, kind)
}

func (n InNetNS) deleteDevice(ctx context.Context, h host.Host, name string) error {
	at, err := n.net(ctx, h)
	if err != nil {
		return err
	}
	if err := keepSession(ctx, h, at, "delete device", n.NetNS, name); err != nil {
		return err
	}
	return at.Links().Delete(ctx, name)
}

var errSession = errors.New("it carries the SSH session that this comes through, and nobody could come in again")

// keepSession refuses to do op to the device that has the address which the session came in on.
func keepSession(ctx context.Context, h host.Host, at host.Net, op, netns, dev string) error {
	ip := sessionIP(h, netns)
	if ip == "" {
		return nil
	}
	all, err := at.Addrs().List(ctx, dev)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(a host.Addr) bool { return isIP(a, ip) }) {
		return &host.Error{Op: op, Object: dev, Kind: host.ErrRefused, Err: errSession}
	}
	return nil
}

// sessionIP is the address that the session came in on, "" unless it is in the namespace that netns names.
func sessionIP(h host.Host, netns string) string {
	if netns != "" {
		return ""
	}
	return host.SessionIP(h)
}

// isIP reports whether a, whatever its prefix length, is the address ip.
func isIP(a host.Addr, ip string) bool {
	addr, _, _ := strings.Cut(a.CIDR, "/")
	return addr == ip
}

func kindName(l host.Link) string {
	switch {
	case l.Loopback:
		return "the loopback device"
	case l.Kind == "":
		return "a physical device"
	}
	return "of type " + l.Kind
}

// keepReachable refuses to take down the device that has the address which the session came in on, and to make it a port.
func keepReachable(ctx context.Context, h host.Host, at host.Net, netns string, l host.Link) error {
	op := ""
	switch {
	case l.Up != nil && !*l.Up:
		op = "take away device"
	case l.Master != nil && *l.Master != "":
		op = "attach to " + *l.Master + " device"
	default:
		return nil
	}
	err := keepSession(ctx, h, at, op, netns, l.Name)
	if errors.Is(err, host.ErrNotExist) {
		return nil // whoever sets it says so
	}
	return err
}

// setDevice sends l unless it says nothing.
func setDevice(ctx context.Context, n host.Net, l host.Link) error {
	if empty(l) {
		return nil
	}
	return n.Links().Set(ctx, l)
}
