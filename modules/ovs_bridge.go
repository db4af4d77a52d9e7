package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[OVSBridge]{
		Name: "ovs_bridge",
		Doc: "Manages a bridge of Open vSwitch. It comes with a network device of its own name, which is down at first: link and " +
			"address manage that. Its ports are ovs_port tasks; ensure = \"absent\" removes them with it.",
		Example: `ovs_bridge "myBridge" {
  fail_mode    = "secure"
  protocols    = ["OpenFlow10", "OpenFlow14"]
  external_ids = { owner = "lab11" }
}`,
		Validate: (*OVSBridge).validate, Read: readOVSBridge, ReadAbsent: noneUnsupported(readOVSBridge), Apply: applyOVSBridge,
		Warn: func(b *OVSBridge) []string { return b.warn() }, Batch: batchOVS,
	})
}

// OVSBridge is a bridge of Open vSwitch.
type OVSBridge struct {
	OnOVS
	Name          string            `json:"name" lab:"key" doc:"Name of the bridge and of its device."`
	FailMode      *string           `json:"fail_mode,omitempty" doc:"What happens without a controller: standalone (it learns, as a switch does), secure (flows alone decide), \"\" for none, which is standalone; left alone if unset."`
	Protocols     []string          `json:"protocols,omitempty" lab:"set" enum:"OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15" doc:"Versions of OpenFlow that it speaks, [] for the default of Open vSwitch; left alone if unset."`
	DatapathType  *string           `json:"datapath_type,omitempty" doc:"system is the kernel's, which needs the module openvswitch, and the default; netdev the userspace's; left alone if unset."`
	DatapathID    string            `json:"datapath_id,omitempty" doc:"Its identity for controllers, 16 hexadecimal digits (other_config:datapath-id); made from a MAC address if never set."`
	Controller    []string          `json:"controller,omitempty" lab:"set" doc:"Targets such as tcp:192.0.2.1:6653, [] for none; left alone if unset."`
	STP           *bool             `json:"stp_enable,omitempty" doc:"Spanning tree (802.1D); left alone if unset."`
	RSTP          *bool             `json:"rstp_enable,omitempty" doc:"Rapid spanning tree (802.1D-2004); left alone if unset."`
	McastSnooping *bool             `json:"mcast_snooping_enable,omitempty" doc:"IGMP and MLD snooping; left alone if unset."`
	ExternalIDs   map[string]string `json:"external_ids,omitempty" doc:"Keys for other programs. Keys not named stay, unless exclusive is set."`
	OtherConfig   map[string]string `json:"other_config,omitempty" doc:"Settings that have no attribute of their own. Keys not named stay, unless exclusive is set."`
	Exclusive     bool              `json:"exclusive,omitempty" lab:"option" doc:"external_ids and other_config hold what the task gives them and no more."`
	DPID          *string           `json:"dpid,omitempty" lab:"computed,made_up" doc:"The identity that controllers see, 16 hexadecimal digits."`
}

func (b *OVSBridge) validate() error {
	if b.DatapathID != "" {
		b.DatapathID = strings.ToLower(b.DatapathID)
		if len(b.DatapathID) != 16 || strings.Trim(b.DatapathID, "0123456789abcdef") != "" || strings.Trim(b.DatapathID, "0") == "" {
			return argf("datapath_id", "%q is not 16 hexadecimal digits other than 0", b.DatapathID)
		}
		if b.OtherConfig["datapath-id"] != "" {
			return argf("other_config", "datapath-id is there as datapath_id")
		}
		if b.Exclusive && b.OtherConfig != nil {
			b.OtherConfig["datapath-id"] = b.DatapathID
		}
	}
	if is := b.DatapathType; is != nil && *is == "system" {
		b.DatapathType = ptr("") // the same; ovs-vsctl leaves it empty
	}
	for i, t := range b.Controller {
		if err := ovsTarget(fmt.Sprintf("controller[%d]", i), t); err != nil {
			return err
		}
	}
	if b.STP != nil && *b.STP && b.RSTP != nil && *b.RSTP {
		return argf("rstp_enable", "cannot be together with stp_enable")
	}
	return firstFault(ovsName("name", b.Name), oneOf("fail_mode", b.FailMode, "", "standalone", "secure"), oneOf("datapath_type", b.DatapathType, "", "netdev"),
		ovsKeys("external_ids", b.ExternalIDs), ovsKeys("other_config", b.OtherConfig))
}

// ovsTarget checks how a connection is written (ovsdb(7), ovs-vswitchd.conf.db(5)).
func ovsTarget(path, target string) error {
	kind, rest, _ := strings.Cut(target, ":")
	switch kind {
	case "tcp", "ssl", "unix", "ptcp", "pssl", "punix":
		if rest != "" {
			return nil
		}
	}
	return argf(path, "%q is not a target such as \"tcp:192.0.2.1:6653\" or \"ptcp:6640\"", target)
}

func oneOf(path string, v *string, values ...string) error {
	if v == nil {
		return nil
	}
	for _, x := range values {
		if *v == x {
			return nil
		}
	}
	return argf(path, "%q is not one of %s", *v, strings.TrimPrefix(strings.Join(values, ", "), ", "))
}

func readOVSBridge(ctx context.Context, h host.Host, want *OVSBridge) (*OVSBridge, error) {
	row, _, err := want.row(ctx, h, "Bridge", want.Name)
	if err != nil || row == nil {
		return nil, err
	}
	have := &OVSBridge{Name: want.Name, Exclusive: want.Exclusive}
	if err := fillOVS("ovs_bridge", have, want, map[string]host.OVSRow{"Bridge": row}, want.Exclusive); err != nil {
		return nil, err
	}
	have.DPID = ptr(strings.Join(row["datapath_id"], ""))
	for _, pair := range row["other_config"] {
		if id, ok := strings.CutPrefix(pair, "datapath-id="); ok {
			have.DatapathID = id
		}
	}
	if want.OtherConfig == nil {
		if delete(have.OtherConfig, "datapath-id"); len(have.OtherConfig) == 0 {
			have.OtherConfig = nil
		}
	}
	return have, nil
}

func applyOVSBridge(ctx context.Context, h host.Host, have, want *OVSBridge, d Diff) error {
	bridges := host.OVSChange{OVSKey: host.OVSKey{Table: "Open_vSwitch"}}
	if want == nil {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err
		}
		if err := keepSession(ctx, h, n, "remove bridge", "", have.Name); err != nil && !errors.Is(err, host.ErrNotExist) { // it may have no device
			return err
		}
		bridges.Remove = host.OVSRow{"bridges": {have.Name}}
		return h.OVS().Transact(ctx, []host.OVSChange{bridges})
	}
	row := ovsRows("ovs_bridge", want, ifAny(have, &d))["Bridge"]
	key := host.OVSKey{Table: "Bridge", Name: want.Name}
	if have == nil {
		c := changeOVS(key, nil, row, want.Exclusive)
		want.setID(&c, d)
		c.Set["ports"] = []string{want.Name}
		bridges.Add = host.OVSRow{"bridges": {want.Name}}
		return h.OVS().Transact(ctx, []host.OVSChange{
			{OVSKey: host.OVSKey{Table: "Interface", Name: want.Name}, New: true, Set: host.OVSRow{"type": {"internal"}}},
			{OVSKey: host.OVSKey{Table: "Port", Name: want.Name}, New: true, Set: host.OVSRow{"interfaces": {want.Name}}}, c, bridges})
	}
	before, _, err := want.row(ctx, h, "Bridge", want.Name)
	if err != nil {
		return err
	}
	c := changeOVS(key, before, row, want.Exclusive)
	want.setID(&c, d)
	return h.OVS().Transact(ctx, []host.OVSChange{c})
}

func (b *OVSBridge) setID(c *host.OVSChange, d Diff) {
	if b.DatapathID != "" && d.Has("datapath_id") {
		c.Add["other_config"] = append(c.Add["other_config"], "datapath-id="+b.DatapathID)
	}
}

// ifAny is d where there is something to differ from.
func ifAny[T any](have *T, d *Diff) *Diff {
	if have == nil {
		return nil
	}
	return d
}
