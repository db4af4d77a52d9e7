package modules

import (
	"fmt"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	registerDevice("vlan", Spec[VLAN]{
		Name: "vlan",
		Doc:  "Manages a VLAN device: the frames with one VLAN tag on a device that is there. A label like \"eth1.100\" says what dev and id are where they are not given.",
		Example: `vlan "enp0s8.100" {}

vlan "service" {
  dev            = "enp0s8"
  id             = 200
  protocol       = "802.1ad"
  egress_qos_map = ["0:1", "6:5"]
}`,
		Validate: (*VLAN).validate, Complete: (*VLAN).complete,
	})
}

// VLAN is a VLAN device (IEEE 802.1Q).
type VLAN struct {
	virtual
	Dev           *string  `json:"dev,omitempty" lab:"immutable" doc:"Device below; what is before the last dot of the label if unset."`
	ID            *int     `json:"id,omitempty" lab:"immutable" doc:"VLAN identifier, 1 to 4094; what is after the last dot of the label if unset."`
	Protocol      *string  `json:"protocol,omitempty" lab:"immutable" enum:"802.1Q,802.1ad" default:"802.1Q" doc:"Kind of the tag: of a customer's network (802.1Q) or of a provider's (802.1ad)."`
	ReorderHdr    *bool    `json:"reorder_hdr,omitempty" doc:"Whether the tag is taken off before the device sees a frame; the kernel's default is true."`
	GVRP          *bool    `json:"gvrp,omitempty" doc:"Whether the VLAN is announced by GVRP."`
	MVRP          *bool    `json:"mvrp,omitempty" doc:"Whether the VLAN is announced by MVRP."`
	LooseBinding  *bool    `json:"loose_binding,omitempty" doc:"Whether the device stays up when the one below goes down."`
	BridgeBinding *bool    `json:"bridge_binding,omitempty" doc:"Whether the device has a carrier only while a port of the bridge below that is in the VLAN has one."`
	EgressQoSMap  []string `json:"egress_qos_map,omitempty" lab:"set" doc:"Priority in the tag for the priority of a packet that leaves, as \"0:1\"; 0 for all others. [] for none."`
	IngressQoSMap []string `json:"ingress_qos_map,omitempty" lab:"set" doc:"Priority of a packet for the priority in the tag of a frame that comes, as \"0:1\"; 0 for all others. [] for none."`
}

func (v *VLAN) validate() error {
	if dev, id, ok := cutLast(v.Name, "."); ok {
		if v.Dev == nil {
			v.Dev = &dev
		}
		if n, err := strconv.Atoi(id); err == nil && v.ID == nil {
			v.ID = &n
		}
	}
	if v.Protocol == nil {
		v.Protocol = ptr("802.1Q")
	}
	return firstFault(validQoS("egress_qos_map", v.EgressQoSMap, 1<<32-1, 7), validQoS("ingress_qos_map", v.IngressQoSMap, 7, 1<<32-1))
}

func (v *VLAN) complete() error {
	switch {
	case v.Dev == nil:
		return argf("dev", "the device below is missing: set dev, or call the device like \"eth1.100\"")
	case v.ID == nil:
		return argf("id", "the VLAN identifier is missing: set id, or call the device like \"eth1.100\"")
	}
	return nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// validQoS checks mappings of priorities and brings them into the order of the kernel. A mapping to 0 is none.
func validQoS(path string, list []string, maxFrom, maxTo uint64) error {
	seen := map[uint64]bool{}
	for i, pair := range list {
		from, to, ok := strings.Cut(pair, ":")
		f, err := strconv.ParseUint(from, 10, 32)
		t, err2 := strconv.ParseUint(to, 10, 32)
		if !ok || err != nil || err2 != nil || f > maxFrom || t > maxTo || t == 0 || seen[f] {
			return argf(fmt.Sprintf("%s[%d]", path, i), "%q is not a mapping such as \"0:1\", to 1 at least, of a priority not mapped before", pair)
		}
		seen[f], list[i] = true, fmt.Sprintf("%d:%d", f, t)
	}
	host.Sort(list, func(a, b string) int { return priority(a) - priority(b) })
	return nil
}

func priority(pair string) int {
	from, _, _ := strings.Cut(pair, ":")
	n, _ := strconv.Atoi(from)
	return n
}
