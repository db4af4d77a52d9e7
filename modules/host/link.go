package host

import "context"

// Link is a network device. Reads fill every field the kernel knows; in writes nil means "leave alone".
type Link struct {
	Name  string `json:"name"`
	Index int    `json:"index,omitempty"` // ifindex; not compared, 0 in writes
	// Kind is the kernel's IFLA_INFO_KIND ("bridge", "veth", "vxlan", "macvlan", "tun", ...), "" for a device without one.
	Kind     string `json:"kind,omitempty"`
	Loopback bool   `json:"loopback,omitempty"`

	Up         *bool   `json:"up,omitempty"`           // IFF_UP, the administrative state
	MTU        *int    `json:"mtu,omitempty"`          // bytes
	Address    *string `json:"address,omitempty"`      // lower-case MAC with colons; "": the kernel will make one up (a plan)
	Promisc    *bool   `json:"promisc,omitempty"`      // the IFF_PROMISC flag as set by a user, not the promiscuity counter
	AllMulti   *bool   `json:"allmulticast,omitempty"` // IFF_ALLMULTI
	ARP        *bool   `json:"arp,omitempty"`          // !IFF_NOARP
	Master     *string `json:"master,omitempty"`       // name; "" is none
	Alias      *string `json:"alias,omitempty"`        // ifalias
	TxQueueLen *int    `json:"txqueuelen,omitempty"`   // packets
	Group      *int    `json:"group,omitempty"`

	Parent *LinkRef `json:"parent,omitempty"` // IFLA_LINK of a stacked device
	Peer   *LinkRef `json:"peer,omitempty"`   // other end of a veth pair

	Bridge  *Bridge  `json:"bridge,omitempty"`
	VXLAN   *VXLAN   `json:"vxlan,omitempty"`
	Macvlan *Macvlan `json:"macvlan,omitempty"`
	Tun     *Tun     `json:"tun,omitempty"`
}

// LinkRef names a device, possibly in another namespace.
type LinkRef struct {
	Name string `json:"name"`
	// NetNS is as in Host.Net; "" is the namespace of the link that refers, OwnNetNS the host's own seen from another,
	// "nsid:N" one that has no name here.
	NetNS string `json:"netns,omitempty"`
}

// Bridge holds the attributes of ip-link(8) type bridge. Times are in seconds.
type Bridge struct {
	STP               *bool    `json:"stp_state,omitempty"`
	ForwardDelay      *float64 `json:"forward_delay,omitempty"`
	HelloTime         *float64 `json:"hello_time,omitempty"`
	MaxAge            *float64 `json:"max_age,omitempty"`
	AgeingTime        *float64 `json:"ageing_time,omitempty"`
	Priority          *int     `json:"priority,omitempty"`
	VLANFiltering     *bool    `json:"vlan_filtering,omitempty"`
	MulticastSnooping *bool    `json:"mcast_snooping,omitempty"`
}

// VXLAN holds the attributes of ip-link(8) type vxlan. Remote and Group are one kernel attribute: a unicast or a
// multicast address.
type VXLAN struct {
	VNI      *int    `json:"id,omitempty"`
	Remote   *string `json:"remote,omitempty"`
	Group    *string `json:"group,omitempty"`
	Local    *string `json:"local,omitempty"`
	DstPort  *int    `json:"dstport,omitempty"`
	TTL      *int    `json:"ttl,omitempty"` // 0 is auto
	TOS      *int    `json:"tos,omitempty"`
	Learning *bool   `json:"learning,omitempty"`
	Ageing   *int    `json:"ageing,omitempty"` // seconds
	PortLow  *int    `json:"srcport_min,omitempty"`
	PortHigh *int    `json:"srcport_max,omitempty"`
}

// Macvlan holds the attributes of ip-link(8) type macvlan.
type Macvlan struct {
	Mode *string `json:"mode,omitempty"` // private, vepa, bridge, passthru, source
}

// Tun holds the attributes of a tun or tap device (drivers/net/tun.c).
type Tun struct {
	Mode       *string `json:"mode,omitempty"`  // tun, tap
	Owner      *int    `json:"owner,omitempty"` // uid
	MultiQueue *bool   `json:"multi_queue,omitempty"`
}

// Links reads and changes the network devices of one namespace.
type Links interface {
	List(ctx context.Context) ([]Link, error)
	// Get returns one device by name: ErrNotExist.
	Get(ctx context.Context, name string) (Link, error)
	// Ports returns the names of the devices whose master is the one called name, sorted.
	Ports(ctx context.Context, name string) ([]string, error)
	// Create makes a device of l.Kind with all that l sets, in as few requests as the kernel allows: ErrExist. The peer of
	// a veth is made in l.Peer.NetNS, which Create resolves as Host.Net does.
	Create(ctx context.Context, l Link) error
	// Set changes what l sets on the device called l.Name. Kind, Parent and Peer are not looked at.
	Set(ctx context.Context, l Link) error
	// Move puts a device into another namespace (as Host.Net names it). The kernel takes away its addresses and sets it down.
	Move(ctx context.Context, name, netns string) error
	// Delete removes devices, and with them what hangs on them: ErrNotExist. Many at once are one or few requests.
	Delete(ctx context.Context, names ...string) error
}
