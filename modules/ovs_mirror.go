package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"labctl/modules/host"
)

func init() {
	Register(Spec[OVSMirror]{
		Name: "ovs_mirror",
		Doc: "Manages a mirror of an Open vSwitch bridge (SPAN): copies of packets go to a port, which then carries nothing else, or into a VLAN " +
			"(RSPAN). Without select_ anything it copies nothing.",
		Example: `ovs_mirror "span0" {
  bridge          = "myBridge"
  select_src_port = ["web1_veth1"]
  select_dst_port = ["web1_veth1"]
  output_port     = "ids0"
}`,
		Validate: (*OVSMirror).validate, Complete: (*OVSMirror).complete, Read: readOVSMirror, ReadAbsent: noneUnsupported(readOVSMirror), Apply: applyOVSMirror,
		Warn: func(m *OVSMirror) []string { return m.warn() }, Batch: batchOVS,
	})
}

// OVSMirror is a mirror of a bridge.
type OVSMirror struct {
	OnOVS
	Name          string            `json:"name" lab:"key" doc:"Name of the mirror, one of its bridge's."`
	Bridge        string            `json:"bridge" lab:"option" doc:"Bridge that it is of."`
	SelectAll     *bool             `json:"select_all,omitempty" doc:"Copy all that comes to the bridge and leaves it; left alone if unset."`
	SelectSrcPort []string          `json:"select_src_port,omitempty" lab:"set" doc:"Ports of which it copies what comes, [] for none; left alone if unset."`
	SelectDstPort []string          `json:"select_dst_port,omitempty" lab:"set" doc:"Ports of which it copies what leaves, [] for none; left alone if unset."`
	SelectVLAN    []int             `json:"select_vlan,omitempty" lab:"set" doc:"VLANs that it copies, of the ports selected or of all, [] for all; left alone if unset."`
	OutputPort    *string           `json:"output_port,omitempty" doc:"Port that the copies go to."`
	OutputVLAN    *string           `json:"output_vlan,omitempty" doc:"VLAN that the copies go into instead, 1 to 4095: without a loop only where no switch has it for anything else."`
	Snaplen       *int              `json:"snaplen,omitempty" doc:"Most bytes of a copy, 14 to 65535, or 0 for the whole packet; left alone if unset."`
	ExternalIDs   map[string]string `json:"external_ids,omitempty" doc:"Keys for other programs. Keys not named stay, unless exclusive is set."`
	Exclusive     bool              `json:"exclusive,omitempty" lab:"option" doc:"external_ids hold what the task gives them and no more."`
}

func (m *OVSMirror) validate() error {
	if m.Bridge == "" {
		return argf("bridge", "required argument is missing")
	}
	for path, list := range map[string][]string{"select_src_port": m.SelectSrcPort, "select_dst_port": m.SelectDstPort} {
		for i, name := range list {
			if err := ovsName(fmt.Sprintf("%s[%d]", path, i), name); err != nil {
				return err
			}
		}
	}
	for i, v := range m.SelectVLAN {
		if err := inRange(fmt.Sprintf("select_vlan[%d]", i), &v, 0, 4095); err != nil {
			return err
		}
	}
	switch {
	case m.OutputPort != nil && m.OutputVLAN != nil && *m.OutputPort != "" && *m.OutputVLAN != "":
		return argf("output_vlan", "cannot be together with output_port")
	case m.OutputVLAN != nil && *m.OutputVLAN != "":
		if n, err := strconv.Atoi(*m.OutputVLAN); err != nil || n < 1 || n > 4095 {
			return argf("output_vlan", "%q is not a VLAN, 1 to 4095", *m.OutputVLAN)
		} else {
			m.OutputVLAN = ptr(strconv.Itoa(n))
		}
	}
	if m.Snaplen != nil && *m.Snaplen != 0 {
		if err := inRange("snaplen", m.Snaplen, 14, 65535); err != nil {
			return err
		}
	}
	return firstFault(ovsName("bridge", m.Bridge), ovsKeys("external_ids", m.ExternalIDs))
}

func (m *OVSMirror) complete() error {
	if (m.OutputPort == nil || *m.OutputPort == "") && (m.OutputVLAN == nil || *m.OutputVLAN == "") {
		return argf("output_port", "output_port or output_vlan is needed")
	}
	return nil
}

func (m *OVSMirror) key() host.OVSKey {
	return host.OVSKey{Table: "Mirror", Name: host.Child("Mirror", m.Bridge, m.Name)}
}

func readOVSMirror(ctx context.Context, h host.Host, want *OVSMirror) (*OVSMirror, error) {
	row, _, err := want.row(ctx, h, "Mirror", want.key().Name)
	if err != nil || row == nil {
		return nil, err
	}
	// One output takes the place of the other.
	if want.OutputPort != nil && *want.OutputPort != "" && row["output_vlan"] != nil {
		want.OutputVLAN = ptr("")
	}
	if want.OutputVLAN != nil && *want.OutputVLAN != "" && row["output_port"] != nil {
		want.OutputPort = ptr("")
	}
	have := &OVSMirror{Name: want.Name, Bridge: want.Bridge, Exclusive: want.Exclusive}
	return have, fillOVS("ovs_mirror", have, want, map[string]host.OVSRow{"Mirror": row}, want.Exclusive)
}

func applyOVSMirror(ctx context.Context, h host.Host, have, want *OVSMirror, d Diff) error {
	if want == nil {
		return h.OVS().Transact(ctx, []host.OVSChange{onBridge(have.Bridge, host.OVSChange{Remove: host.OVSRow{"mirrors": {have.Name}}})})
	}
	bridge, _, err := want.row(ctx, h, "Bridge", want.Bridge)
	if err != nil {
		return err
	}
	if bridge == nil {
		return &host.Error{Op: "add mirror to", Object: want.Bridge, Kind: host.ErrNotExist, Err: errNoOVSBridge}
	}
	ports := slices.Concat(want.SelectSrcPort, want.SelectDstPort)
	if want.OutputPort != nil && *want.OutputPort != "" {
		ports = append(ports, *want.OutputPort)
	}
	for _, p := range ports {
		if !slices.Contains(bridge["ports"], p) {
			return &host.Error{Op: "mirror on bridge " + want.Bridge, Object: p, Kind: host.ErrNotExist,
				Err: errors.New("there is no such port on the bridge: an ovs_port task before this one can make it")}
		}
	}
	before, _, err := want.row(ctx, h, "Mirror", want.key().Name)
	if err != nil {
		return err
	}
	row := ovsRows("ovs_mirror", want, ifAny(have, &d))["Mirror"]
	if slices.Equal(row["snaplen"], []string{"0"}) {
		row["snaplen"] = nil
	}
	changes := []host.OVSChange{changeOVS(want.key(), before, row, want.Exclusive)}
	if have == nil {
		changes = append(changes, onBridge(want.Bridge, host.OVSChange{Add: host.OVSRow{"mirrors": {want.Name}}}))
	}
	return h.OVS().Transact(ctx, changes)
}
