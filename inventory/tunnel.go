package inventory

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/hashicorp/hcl/v2"
)

// Tunnel is a port of this computer that stands for an address behind a host, as ssh -L has it. A host at that port is reached
// through the tunnel's host, whether or not anything listens.
type Tunnel struct {
	Name      string
	Host      Jump // what connects to the address
	To        Hop  // the address and the port, as seen from there
	Listen    Hop  // the same as seen from here
	DeclRange hcl.Range
}

var tunnelSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "host", Required: true}, {Name: "to", Required: true}, {Name: "listen", Required: true},
}}

func (d *decoder) tunnel(b *hcl.Block) {
	c := d.content(b, tunnelSchema)
	t := &Tunnel{Name: b.Labels[0], DeclRange: b.DefRange}
	for _, old := range d.inv.Tunnels {
		if old.Name == t.Name {
			d.named("tunnel", t.Name, b.LabelRanges[0], &old.DeclRange)
			return
		}
	}
	host, to, listen := c.Attributes["host"], c.Attributes["to"], c.Attributes["listen"]
	if !d.named("tunnel", t.Name, b.LabelRanges[0], nil) || host == nil || to == nil || listen == nil {
		return // what is missing has been told of
	}
	t.Host = Jump{Text: d.text(host), Range: host.Expr.Range()}
	ends := d.end(to, &t.To)
	if ends = d.listen(listen, t) && ends; ends {
		d.inv.Tunnels = append(d.inv.Tunnels, t)
	}
}

// end reads host:port, of which the port may be missing.
func (d *decoder) end(a *hcl.Attribute, to *Hop) bool {
	text := d.text(a)
	hop, ok := parseHop(text)
	if !ok || hop.User != "" {
		d.fault(a.Expr.Range(), "Wrong address", "%q is not host:port; an IPv6 address stands in brackets.", text)
		return false
	}
	if hop.Port == 0 {
		hop.Port = sshPort
	}
	*to = hop
	return true
}

// listen reads where a tunnel begins: a port, or an address of this computer alone with a port, as ssh -L takes them.
func (d *decoder) listen(a *hcl.Attribute, t *Tunnel) bool {
	text := d.text(a)
	if _, err := strconv.Atoi(text); err == nil {
		text = "localhost:" + text
	}
	hop, ok := parseHop(text)
	if !ok || hop.User != "" || hop.Port == 0 || !loopback(hop.Address) {
		d.fault(a.Expr.Range(), "Wrong address", "%q is not a port, or 127.0.0.1:port, of this computer alone.", d.text(a))
		return false
	}
	t.Listen = hop
	for _, old := range d.inv.Tunnels {
		if old.at(hop.Address, hop.Port) {
			d.fault(a.Expr.Range(), "Duplicate tunnel", "Tunnel %q listens on %s already, at %s.", old.Name, text, old.DeclRange)
			return false
		}
	}
	return true
}

const sshPort = 22

func loopback(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.IsLoopback() || s == "localhost"
}

// at reports whether that address is where the tunnel begins. ssh listens for localhost on 127.0.0.1 and on ::1.
func (t *Tunnel) at(address string, port int) bool {
	if port == 0 {
		port = sshPort
	}
	if port != t.Listen.Port || !loopback(address) {
		return false
	}
	a, errA := netip.ParseAddr(address)
	b, errB := netip.ParseAddr(t.Listen.Address)
	first := func(ip netip.Addr) bool { return ip == netip.IPv6Loopback() || ip.String() == "127.0.0.1" }
	switch {
	case errA == nil && errB == nil:
		return a == b
	case errA == nil:
		return first(a)
	}
	return errB != nil || first(b)
}

// Tunnel returns the tunnel that a host stands at the beginning of, or nil. The address of a host that is behind others is not of
// this computer.
func (inv *Inventory) Tunnel(h *Host) *Tunnel {
	if len(h.Jump) > 0 || h.ProxyCommand != "" || h.Connection == ConnectLocal {
		return nil
	}
	for _, t := range inv.Tunnels {
		if t.at(h.Address, h.Port) {
			return t
		}
	}
	return nil
}

// Place returns where a host is as seen from the last hop before it, by Chain: its address and port, or the end of its tunnel.
func (inv *Inventory) Place(h *Host) (address string, port int) {
	if t := inv.Tunnel(h); t != nil {
		return t.To.Address, t.To.Port
	}
	return h.Address, h.Port
}

// checkTunnels has a fault in what a tunnel goes through told once, at the tunnel, whoever stands at it.
func (d *decoder) checkTunnels() {
	kept := d.inv.Tunnels[:0]
	for _, t := range d.inv.Tunnels {
		if _, err := d.inv.chainOf([]Jump{t.Host}, nil); err != nil {
			d.fault(t.Host.Range, "Wrong tunnel", "%s.", sentence(err.Error()))
			continue
		}
		kept = append(kept, t)
	}
	d.inv.Tunnels = kept
}

// String is the hop as ssh -L names one.
func (h Hop) String() string { return net.JoinHostPort(h.Address, strconv.Itoa(h.Port)) }
