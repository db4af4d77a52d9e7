package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[OVSPort]{
		Name: "ovs_port",
		Doc: "Manages a port of an Open vSwitch bridge: a device that is there, one that Open vSwitch makes, a tunnel, or a bond of " +
			"several. A port whose device is missing is an error, which ovs-vsctl does not make of it; one that had an error and " +
			"keeps it, too. The task for the bridge's own port is called as the bridge.",
		Example: `ovs_port "web1_veth1" {
  bridge = "myBridge"
  tag    = 100
}
ovs_port "vxlan0" {
  bridge  = "myBridge"
  type    = "vxlan"
  options = { remote_ip = "192.168.50.5", dst_port = "4789", ttl = "5" }
}
ovs_port "web2_veth1" {
  bridge = "myBridge"
  qos {
    type         = "linux-htb"
    other_config = { max-rate = "10000000" }
    queue {
      id           = 0
      other_config = { min-rate = "2000000" }
    }
    queue {
      id           = 1
      dscp         = 46
      other_config = { min-rate = "8000000" }
    }
  }
}
ovs_port "bond0" {
  bridge     = "myBridge"
  interfaces = ["enp0s8", "enp0s9"]
  bond_mode  = "balance-slb"
  lacp       = "off"
}`,
		Validate: (*OVSPort).validate, Read: readOVSPort, ReadAbsent: noneUnsupported(readOVSPort), Apply: applyOVSPort,
		Warn: func(p *OVSPort) []string { return p.warn() }, Batch: batchOVS,
	})
}

// OVSPort is a port of a bridge, with its interfaces.
type OVSPort struct {
	OnOVS
	Name         string            `json:"name" lab:"key" doc:"Name of the port, and of its interface unless interfaces names others."`
	Bridge       string            `json:"bridge,omitempty" lab:"required" doc:"Bridge that it is on. A port that is on another one is an error unless move is set."`
	Move         bool              `json:"move,omitempty" lab:"option" doc:"Take the port from the bridge that it is on."`
	Tag          *string           `json:"tag,omitempty" doc:"VLAN of an access port, 0 to 4095, or the native VLAN of a trunk; \"\" for none; left alone if unset."`
	Trunks       []int             `json:"trunks,omitempty" lab:"set" doc:"VLANs that a trunk carries, [] for all; left alone if unset."`
	CVLANs       []int             `json:"cvlans,omitempty" lab:"set" doc:"Inner VLANs that a dot1q-tunnel port carries, [] for all; left alone if unset."`
	VLANMode     *string           `json:"vlan_mode,omitempty" doc:"access, trunk, native-tagged, native-untagged, dot1q-tunnel, or \"\": access with a tag and trunk without; left alone if unset."`
	Type         *string           `json:"type,omitempty" doc:"\"\" for a device that is there (system is the same), internal for one that Open vSwitch makes, patch, vxlan, gre, geneve, or another that it knows; left alone if unset."`
	Options      map[string]string `json:"options,omitempty" doc:"Options of the type, such as remote_ip, key, dst_port, peer: all of them, {} for none; left alone if unset."`
	Interfaces   []string          `json:"interfaces,omitempty" lab:"set" doc:"Devices of a bond, two or more; left alone if unset."`
	BondMode     *string           `json:"bond_mode,omitempty" doc:"active-backup, balance-slb, balance-tcp, or \"\" for the default; left alone if unset."`
	LACP         *string           `json:"lacp,omitempty" doc:"active, passive, off, or \"\" for the default; left alone if unset."`
	BondUpDelay  *int              `json:"bond_updelay,omitempty" doc:"Milliseconds that a link must be up before it is used."`
	BondDnDelay  *int              `json:"bond_downdelay,omitempty" doc:"Milliseconds that a link must be down before it is not used."`
	Protected    *bool             `json:"protected,omitempty" doc:"Whether it exchanges nothing with other protected ports; left alone if unset."`
	OFPort       *int              `json:"ofport_request,omitempty" doc:"OpenFlow port number, 1 to 65279, that it should get; left alone if unset."`
	MTU          *int              `json:"mtu_request,omitempty" doc:"MTU that its device gets; left alone if unset."`
	MAC          *string           `json:"mac,omitempty" doc:"MAC address of an internal port, \"\" to let Open vSwitch choose; left alone if unset."`
	PolicingRate *int              `json:"ingress_policing_rate,omitempty" doc:"Most that is taken in, in kbit/s; 0: all."`
	PolicingBrst *int              `json:"ingress_policing_burst,omitempty" doc:"Burst beyond that, in kbit; 0: the default."`
	QoS          *OVSQoS           `json:"qos,omitempty" doc:"How it sends; left alone if unset."`
	ExternalIDs  map[string]string `json:"external_ids,omitempty" doc:"Keys of the port for other programs. Keys not named stay, unless exclusive is set."`
	OtherConfig  map[string]string `json:"other_config,omitempty" doc:"Settings of the port that have no attribute of their own. Keys not named stay, unless exclusive is set."`
	IfaceIDs     map[string]string `json:"interface_external_ids,omitempty" doc:"Keys of the interface for other programs, such as iface-id. Keys not named stay, unless exclusive is set."`
	IfaceConfig  map[string]string `json:"interface_other_config,omitempty" doc:"Settings of the interface that have no attribute of their own. Keys not named stay, unless exclusive is set."`
	Exclusive    bool              `json:"exclusive,omitempty" lab:"option" doc:"external_ids and other_config, of the interface too, hold what the task gives them and no more."`

	Error string `json:"error,omitempty" lab:"derived,exact" doc:"Why it does not work, in the words of ovs-vswitchd."`
	Port  *int   `json:"ofport,omitempty" lab:"computed,made_up" doc:"OpenFlow port number that it has."`
}

// tunnels are the types that need the address of the other end.
var tunnels = []string{"vxlan", "gre", "geneve", "stt", "lisp", "erspan", "ip6gre", "ip6erspan", "gtpu", "bareudp", "srv6"}

func (p *OVSPort) validate() error {
	if p.Type != nil && *p.Type == "system" {
		p.Type = ptr("")
	}
	for path, list := range map[string][]int{"trunks": p.Trunks, "cvlans": p.CVLANs} {
		for i, v := range list {
			if err := inRange(fmt.Sprintf("%s[%d]", path, i), &v, 0, 4095); err != nil {
				return err
			}
			if slices.Contains(list[:i], v) {
				return argf(fmt.Sprintf("%s[%d]", path, i), "%d is there twice", v)
			}
		}
	}
	if p.Tag != nil && *p.Tag != "" {
		n, err := strconv.Atoi(*p.Tag)
		if err != nil || n < 0 || n > 4095 {
			return argf("tag", "%q is not a VLAN, 0 to 4095, nor \"\"", *p.Tag)
		}
		p.Tag = ptr(strconv.Itoa(n))
	}
	for path, m := range map[string]map[string]string{"options": p.Options, "external_ids": p.ExternalIDs, "other_config": p.OtherConfig,
		"interface_external_ids": p.IfaceIDs, "interface_other_config": p.IfaceConfig} {
		if err := ovsKeys(path, m); err != nil {
			return err
		}
	}
	if p.MAC != nil && *p.MAC != "" {
		mac, err := validMAC("mac", *p.MAC)
		if err != nil {
			return err
		}
		p.MAC = &mac
	}
	if p.Bridge != "" {
		if err := ovsName("bridge", p.Bridge); err != nil {
			return err
		}
	}
	return firstFault(ovsName("name", p.Name), p.checkBond(), p.checkType(), p.QoS.validate(), inRange("ofport_request", p.OFPort, 1, 65279), inRange("mtu_request", p.MTU, 68, 65535),
		oneOf("vlan_mode", p.VLANMode, "", "access", "trunk", "native-tagged", "native-untagged", "dot1q-tunnel"),
		oneOf("bond_mode", p.BondMode, "", "active-backup", "balance-slb", "balance-tcp"), oneOf("lacp", p.LACP, "", "active", "passive", "off"),
		inRange("bond_updelay", p.BondUpDelay, 0, 1<<31-1), inRange("bond_downdelay", p.BondDnDelay, 0, 1<<31-1),
		inRange("ingress_policing_rate", p.PolicingRate, 0, 1<<31-1), inRange("ingress_policing_burst", p.PolicingBrst, 0, 1<<31-1))
}

func (p *OVSPort) checkBond() error {
	if p.Interfaces == nil {
		return nil
	}
	if len(p.Interfaces) < 2 {
		return argf("interfaces", "a bond has two or more; a port with one is called as its interface")
	}
	for i, name := range p.Interfaces {
		path := fmt.Sprintf("interfaces[%d]", i)
		if err := ovsName(path, name); err != nil {
			return err
		}
		if slices.Contains(p.Interfaces[:i], name) {
			return argf(path, "%q is there twice", name)
		}
	}
	if p.Type != nil || p.Options != nil || p.OFPort != nil || p.MAC != nil {
		return argf("interfaces", "cannot be together with type, options, ofport_request or mac, which are of one interface")
	}
	return nil
}

func (p *OVSPort) checkType() error {
	if p.Type == nil || p.Options == nil {
		return nil
	}
	need := ""
	if slices.Contains(tunnels, *p.Type) {
		need = "remote_ip"
	} else if *p.Type == "patch" {
		need = "peer"
	}
	if need != "" && p.Options[need] == "" {
		return argf("options", "a port of type %s needs %s", *p.Type, need)
	}
	return nil
}

func readOVSPort(ctx context.Context, h host.Host, want *OVSPort) (*OVSPort, error) {
	port, bridge, err := want.row(ctx, h, "Port", want.Name)
	if err != nil || port == nil {
		return nil, err
	}
	have := &OVSPort{Name: want.Name, Bridge: bridge, Exclusive: want.Exclusive}
	rows := map[string]host.OVSRow{"Port": port}
	faults, number := []string{}, 0
	for _, name := range port["interfaces"] {
		iface, _, err := want.row(ctx, h, "Interface", name)
		if err != nil {
			return nil, err
		}
		if rows["Interface"] == nil {
			rows["Interface"] = iface
		}
		if !slices.Equal(iface["type"], []string{"patch"}) { // that one waits for its other end
			faults = append(faults, iface["error"]...)
		}
		if len(iface["ofport"]) > 0 {
			number, _ = strconv.Atoi(iface["ofport"][0])
		}
	}
	have.Error, have.Port = strings.Join(faults, "; "), &number
	if err := fillOVS("ovs_port", have, want, rows, want.Exclusive); err != nil {
		return nil, err
	}
	if len(port["interfaces"]) < 2 && want.Interfaces == nil {
		have.Interfaces = nil
	}
	return have, nil
}

func applyOVSPort(ctx context.Context, h host.Host, have, want *OVSPort, d Diff) error {
	if want == nil {
		return have.remove(ctx, h)
	}
	bridge, _, err := want.row(ctx, h, "Bridge", want.Bridge)
	if err != nil {
		return err
	}
	if bridge == nil {
		return &host.Error{Op: "add port to", Object: want.Bridge, Kind: host.ErrNotExist, Err: errNoOVSBridge}
	}
	if have == nil {
		have = &OVSPort{Name: want.Name}
	} else if have.Bridge != want.Bridge && !want.Move {
		return &host.Error{Op: "add port to " + want.Bridge, Object: want.Name, Kind: host.ErrExist,
			Err: fmt.Errorf("it is on bridge %s: move = true takes it from there", have.Bridge)}
	}
	changes, err := want.changes(ctx, h, have, &d)
	if err != nil {
		return err
	}
	return h.OVS().Transact(ctx, changes)
}

var errNoOVSBridge = errors.New("there is no such bridge of Open vSwitch: an ovs_bridge task before this one can make it")

func (p *OVSPort) changes(ctx context.Context, h host.Host, have *OVSPort, d *Diff) ([]host.OVSChange, error) {
	key := host.OVSKey{Table: "Port", Name: p.Name}
	before, _, err := p.row(ctx, h, key.Table, key.Name)
	if err != nil {
		return nil, err
	}
	if before == nil {
		d = nil
	}
	rows := ovsRows("ovs_port", p, d)
	all := ovsRows("ovs_port", p, nil)["Interface"]
	names := p.Interfaces
	switch {
	case names != nil:
	case before == nil:
		names = []string{p.Name}
	default:
		names = before["interfaces"]
	}
	var changes []host.OVSChange
	if d == nil || d.Has("error") || d.Has("interfaces") || len(rows["Interface"]) > 0 {
		for _, name := range names {
			c, err := p.iface(ctx, h, name, rows["Interface"], all)
			if err != nil {
				return nil, err
			}
			changes = append(changes, c)
		}
	}
	if before == nil {
		rows["Port"]["interfaces"] = slices.Sorted(slices.Values(names))
	}
	changes = append(changes, changeOVS(key, before, rows["Port"], p.Exclusive))
	if have.Bridge != p.Bridge {
		changes = append(changes, onBridge(p.Bridge, host.OVSChange{Add: host.OVSRow{"ports": {p.Name}}}))
		if have.Bridge != "" {
			changes = append(changes, onBridge(have.Bridge, host.OVSChange{Remove: host.OVSRow{"ports": {p.Name}}}))
		}
	}
	return changes, nil
}

func onBridge(name string, c host.OVSChange) host.OVSChange {
	c.OVSKey = host.OVSKey{Table: "Bridge", Name: name}
	return c
}

// iface is the change of one interface: by row, or by all when it is new. One that belongs to another port is not taken.
func (p *OVSPort) iface(ctx context.Context, h host.Host, name string, row, all host.OVSRow) (host.OVSChange, error) {
	key := host.OVSKey{Table: "Interface", Name: name}
	before, port, err := p.row(ctx, h, key.Table, name)
	if err != nil {
		return host.OVSChange{}, err
	}
	if before != nil && port != p.Name {
		return host.OVSChange{}, &host.Error{Op: "add interface to port " + p.Name, Object: name, Kind: host.ErrExist,
			Err: fmt.Errorf("it belongs to port %s: remove that first", port)}
	}
	if before == nil {
		row = all
	}
	if before == nil && len(row["type"]) == 0 {
		n, err := h.Net(ctx, "")
		if err != nil {
			return host.OVSChange{}, err
		}
		if err := keepSession(ctx, h, n, "take for a bridge device", "", name); err != nil && !errors.Is(err, host.ErrNotExist) { // Open vSwitch says why
			return host.OVSChange{}, err
		}
	}
	return changeOVS(key, before, row, p.Exclusive), nil
}

func (p *OVSPort) remove(ctx context.Context, h host.Host) error {
	if p.Name == p.Bridge {
		return &host.Error{Op: "remove port", Object: p.Name, Kind: host.ErrBusy, Err: errors.New("it is the bridge's own: remove the bridge")}
	}
	n, err := h.Net(ctx, "")
	if err != nil {
		return err
	}
	if err := keepSession(ctx, h, n, "remove port", "", p.Name); err != nil && !errors.Is(err, host.ErrNotExist) && p.Type != nil && *p.Type == "internal" {
		return err
	}
	return h.OVS().Transact(ctx, []host.OVSChange{onBridge(p.Bridge, host.OVSChange{Remove: host.OVSRow{"ports": {p.Name}}})})
}
