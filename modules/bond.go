package modules

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	registerDevice("bond", Spec[Bond]{
		Name: "bond",
		Doc:  "Manages a bond, several devices that act as one, and the set of its ports.",
		Example: `bond "bond0" {
  mode      = "802.3ad"
  miimon    = 100
  lacp_rate = "fast"
  ports     = ["enp0s8", "enp0s9"]
}`,
		Validate: (*Bond).validate,
	})
}

// Bond is a bonding device.
type Bond struct {
	virtual
	ports
	Mode            *string  `json:"mode,omitempty" lab:"immutable" enum:"balance-rr,active-backup,balance-xor,broadcast,802.3ad,balance-tlb,balance-alb" default:"balance-rr" doc:"How traffic is spread over the ports."`
	MIIMon          *int     `json:"miimon,omitempty" doc:"Milliseconds between looks at the carrier of the ports, 0 for none: then a port that is cut off is not noticed."`
	UpDelay         *int     `json:"updelay,omitempty" doc:"Milliseconds until a port that has a carrier is used; a multiple of miimon."`
	DownDelay       *int     `json:"downdelay,omitempty" doc:"Milliseconds until a port without one is not; a multiple of miimon."`
	ARPInterval     *int     `json:"arp_interval,omitempty" doc:"Milliseconds between ARP requests that prove a port, 0 for none; needs arp_ip_target, excludes miimon."`
	ARPIPTarget     []string `json:"arp_ip_target,omitempty" doc:"IPv4 addresses that are asked for, 16 at most, [] for none."`
	ARPValidate     *string  `json:"arp_validate,omitempty" enum:"none,active,backup,all,filter,filter_active,filter_backup" doc:"Which ports must see the answers themselves."`
	ARPAllTargets   *string  `json:"arp_all_targets,omitempty" enum:"any,all" doc:"Whether one target must answer, or all."`
	Primary         *string  `json:"primary,omitempty" doc:"Port that is preferred; \"\" for none."`
	PrimaryReselect *string  `json:"primary_reselect,omitempty" enum:"always,better,failure" doc:"When the primary is taken again after it was gone."`
	FailOverMAC     *string  `json:"fail_over_mac,omitempty" lab:"immutable" enum:"none,active,follow" doc:"Which MAC address active-backup has."`
	XmitHashPolicy  *string  `json:"xmit_hash_policy,omitempty" enum:"layer2,layer3+4,layer2+3,encap2+3,encap3+4,vlan+srcmac" doc:"What of a packet decides which port it leaves by."`
	ResendIGMP      *int     `json:"resend_igmp,omitempty" doc:"Membership reports after a fail-over, 0 to 255."`
	NumPeerNotif    *int     `json:"num_peer_notif,omitempty" doc:"ARP and ND announcements after a fail-over, 0 to 255."`
	AllPortsActive  *bool    `json:"all_ports_active,omitempty" doc:"Whether frames are taken that come by ports not in use."`
	MinLinks        *int     `json:"min_links,omitempty" doc:"Fewest ports in use with which the bond has a carrier (802.3ad)."`
	LPInterval      *int     `json:"lp_interval,omitempty" doc:"Seconds between packets that teach switches (balance-tlb, balance-alb), 1 at least."`
	LACPRate        *string  `json:"lacp_rate,omitempty" lab:"immutable" enum:"slow,fast" doc:"How often the other side is to send (802.3ad)."`
	LACPActive      *string  `json:"lacp_active,omitempty" lab:"immutable" enum:"off,on" doc:"Whether the bond sends of its own accord (802.3ad)."`
	ADSelect        *string  `json:"ad_select,omitempty" lab:"immutable" enum:"stable,bandwidth,count" doc:"Which aggregation is taken (802.3ad)."`
	TLBDynamicLB    *bool    `json:"tlb_dynamic_lb,omitempty" lab:"immutable" doc:"Whether balance-tlb moves flows by load."`
}

func (b *Bond) validate() error {
	if b.Mode == nil {
		b.Mode = ptr("balance-rr")
	}
	mon, arp := b.MIIMon != nil && *b.MIIMon > 0, b.ARPInterval != nil && *b.ARPInterval > 0
	needs := func(path string, set bool, modes ...string) error {
		if !set || slices.Contains(modes, *b.Mode) {
			return nil
		}
		return argf(path, "needs mode %s", strings.Join(modes, " or "))
	}
	switch {
	case mon && arp:
		return argf("arp_interval", "miimon and arp_interval exclude each other")
	case arp && len(b.ARPIPTarget) == 0:
		return argf("arp_ip_target", "arp_interval needs a target")
	case len(b.ARPIPTarget) > 16:
		return argf("arp_ip_target", "%d are more than 16, the most that a bond takes", len(b.ARPIPTarget))
	}
	return firstFault(b.ports.validate(b.Name), b.validTargets(), b.validDelay("updelay", b.UpDelay), b.validDelay("downdelay", b.DownDelay),
		needs("arp_interval", arp, "balance-rr", "active-backup", "balance-xor", "broadcast"),
		needs("primary", b.Primary != nil && *b.Primary != "", "active-backup", "balance-tlb", "balance-alb"),
		needs("lacp_rate", b.LACPRate != nil, "802.3ad"), needs("lacp_active", b.LACPActive != nil, "802.3ad"),
		needs("arp_validate", b.ARPValidate != nil && *b.ARPValidate != "none", "balance-rr", "active-backup", "balance-xor", "broadcast"),
		needs("tlb_dynamic_lb", b.TLBDynamicLB != nil, "balance-tlb", "balance-alb"))
}

func (b *Bond) validTargets() error {
	for i, text := range b.ARPIPTarget {
		path := fmt.Sprintf("arp_ip_target[%d]", i)
		addr, err := validAddr(path, text)
		if err != nil {
			return err
		}
		if !addr.Is4() || slices.Contains(b.ARPIPTarget[:i], addr.String()) {
			return argf(path, "%q is not an IPv4 address, or is there twice", text)
		}
		b.ARPIPTarget[i] = addr.String()
	}
	return nil
}

func (b *Bond) validDelay(path string, delay *int) error {
	switch {
	case delay == nil || *delay == 0:
		return nil
	case b.MIIMon == nil || *b.MIIMon == 0:
		return argf(path, "needs miimon, which it is counted in")
	case *delay%*b.MIIMon != 0:
		return argf(path, "%d is not a multiple of miimon, %d", *delay, *b.MIIMon)
	}
	return nil
}
