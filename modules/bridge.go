package modules

func init() {
	registerDevice("bridge", Spec[Bridge]{
		Name: "bridge",
		Doc:  "Manages a Linux bridge and the set of its ports.",
		Example: `bridge "myBridge" {
  ports     = ["enp0s8", "enp0s9"]
  stp_state = false
}`,
		Validate: (*Bridge).validate,
	})
}

// Bridge is a Linux bridge.
type Bridge struct {
	virtual
	ports
	STP               *bool    `json:"stp_state,omitempty" doc:"Spanning tree protocol; left alone if unset."`
	ForwardDelay      *float64 `json:"forward_delay,omitempty" doc:"Forwarding delay in seconds, 2 to 30 while stp_state is true."`
	HelloTime         *float64 `json:"hello_time,omitempty" doc:"Time between hello packets in seconds, 1 to 10."`
	MaxAge            *float64 `json:"max_age,omitempty" doc:"Age in seconds at which spanning tree information is dropped, 6 to 40."`
	AgeingTime        *float64 `json:"ageing_time,omitempty" doc:"Seconds until a learned address is forgotten."`
	Priority          *int     `json:"priority,omitempty" doc:"Spanning tree priority, 0 to 65535."`
	VLANFiltering     *bool    `json:"vlan_filtering,omitempty" doc:"Whether VLAN tags decide where frames go."`
	VLANProtocol      *string  `json:"vlan_protocol,omitempty" enum:"802.1Q,802.1ad" doc:"Kind of the tags that vlan_filtering looks at."`
	VLANDefaultPVID   *int     `json:"vlan_default_pvid,omitempty" doc:"VLAN of frames without a tag at ports that come, 0 for none; the kernel's default is 1."`
	VLANStats         *bool    `json:"vlan_stats_enabled,omitempty" doc:"Whether traffic is counted by VLAN."`
	VLANStatsPerPort  *bool    `json:"vlan_stats_per_port,omitempty" doc:"Whether it is by port, too; to be set while no port has a VLAN."`
	GroupFwdMask      *int     `json:"group_fwd_mask,omitempty" doc:"Bits of the last byte of the link-local groups 01:80:c2:00:00:0X that are forwarded; 0 for none."`
	GroupAddress      *string  `json:"group_address,omitempty" doc:"MAC address that spanning tree packets go to, one of 01:80:c2:00:00:0X."`
	NoLinkLocalLearn  *bool    `json:"no_linklocal_learn,omitempty" doc:"Whether nothing is learned from link-local frames."`
	McastSnooping     *bool    `json:"mcast_snooping,omitempty" doc:"IGMP and MLD snooping."`
	McastVLANSnooping *bool    `json:"mcast_vlan_snooping,omitempty" doc:"Whether mcast_snooping is by VLAN."`
	McastQuerier      *bool    `json:"mcast_querier,omitempty" doc:"Whether the bridge asks who is in which group."`
	McastQueryIfaddr  *bool    `json:"mcast_query_use_ifaddr,omitempty" doc:"Whether it asks with the bridge's own address in place of 0.0.0.0."`
	McastRouter       *int     `json:"mcast_router,omitempty" doc:"Whether there is a multicast router behind the bridge itself: 0 no, 1 as learned, 2 yes."`
	McastIGMPVersion  *int     `json:"mcast_igmp_version,omitempty" doc:"Version of IGMP, 2 or 3."`
	McastMLDVersion   *int     `json:"mcast_mld_version,omitempty" doc:"Version of MLD, 1 or 2."`
	McastHashMax      *int     `json:"mcast_hash_max,omitempty" doc:"Most groups that are remembered."`
	McastStats        *bool    `json:"mcast_stats_enabled,omitempty" doc:"Whether IGMP and MLD packets are counted."`
	McastLastCount    *int     `json:"mcast_last_member_count,omitempty" doc:"Queries that go unanswered until a group is left."`
	McastLastInterval *float64 `json:"mcast_last_member_interval,omitempty" doc:"Seconds between those."`
	McastStartCount   *int     `json:"mcast_startup_query_count,omitempty" doc:"Queries at the start."`
	McastMembership   *float64 `json:"mcast_membership_interval,omitempty" doc:"Seconds until a member that does not answer is forgotten."`
	McastQuerierTime  *float64 `json:"mcast_querier_interval,omitempty" doc:"Seconds without another querier's queries until the bridge's own begin."`
	McastQuery        *float64 `json:"mcast_query_interval,omitempty" doc:"Seconds between queries, 1 at least."`
	McastResponse     *float64 `json:"mcast_query_response_interval,omitempty" doc:"Seconds that members have for an answer."`
	NFCallIPTables    *bool    `json:"nf_call_iptables,omitempty" doc:"Whether bridged IPv4 packets go through iptables; needs the kernel's br_netfilter, which net.bridge.bridge-nf-call-iptables lets do so for all bridges."`
	NFCallIP6Tables   *bool    `json:"nf_call_ip6tables,omitempty" doc:"The same for IPv6."`
	NFCallARPTables   *bool    `json:"nf_call_arptables,omitempty" doc:"The same for ARP."`
}

func (b *Bridge) validate() error {
	if on, d := b.STP, b.ForwardDelay; on != nil && *on && d != nil && *d < 2 {
		return argf("forward_delay", "%g is less than 2 seconds, the least with stp_state", *d)
	}
	if m := b.GroupFwdMask; m != nil && *m&7 != 0 {
		return argf("group_fwd_mask", "%#x has a bit of 0x7: spanning tree, flow control and LACP are never forwarded", *m)
	}
	return b.ports.validate(b.Name)
}
