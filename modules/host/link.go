package host

import "context"

// Link is a network device. Reads fill every field the kernel knows; in writes nil means "leave alone".
type Link struct {
	Name  string `json:"name"`
	Index int    `json:"index,omitempty"` // ifindex; not compared, 0 in writes
	// Kind is the kernel's IFLA_INFO_KIND ("bridge", "veth", "vxlan", "vlan", "tun", ...), "" for a device without one.
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

	// Data is what the kind has of its own, named and typed as package kinds does. Reads leave out what the kernel gives where
	// nobody says otherwise.
	Data Attrs `json:"data,omitempty"`
	// Port is what the device has as a port of a bridge, in the same way; nil where it is none.
	Port Attrs `json:"port,omitempty"`
}

// Attrs are attributes by name: bool, float64 or string.
type Attrs = map[string]any

// LinkRef names a device, possibly in another namespace.
type LinkRef struct {
	Name string `json:"name"`
	// NetNS is as in Host.Net; "" is the namespace of the link that refers, OwnNetNS the host's own seen from another,
	// "nsid:N" one that has no name here.
	NetNS string `json:"netns,omitempty"`
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
	// VLANs returns what bridges and their ports are in by the name of the device; dev "": all of them.
	VLANs(ctx context.Context, dev string) (map[string][]BridgeVLAN, error)
	// SetVLANs adds VLANs to a bridge or a port, or changes those that are there, and takes it out of others.
	SetVLANs(ctx context.Context, dev string, set, remove []BridgeVLAN) error
	// Delete removes devices, and with them what hangs on them: ErrNotExist. Many at once are one or few requests.
	Delete(ctx context.Context, names ...string) error
}
