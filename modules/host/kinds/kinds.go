// Package kinds is what each kind of network device has of its own, as tables: the names of the attributes, where
// rtnetlink(7) carries them, and the values that the kernel gives where nobody says otherwise. It knows nothing of hosts,
// sockets or modules.
package kinds

// Wire says how the kernel carries a value: a layout, and what the number in it means.
type Wire uint8

// The layouts. An address is four bytes or sixteen, the latter under the number Also where that is another one. None is an
// attribute without a value, which is there or not.
const (
	U8 Wire = iota + 1
	U16
	U32
	U64
	BE16
	BE32
	None
	Present   // a None that is told in a byte
	Addr      // any address
	Unicast   // of two attributes that share a number: the one that is a unicast address
	Multicast // and the other one
	Addrs     // a list of IPv4 addresses, in nested attributes 0, 1, ... A space between them in the value.
	MAC
	QoS // a list of struct ifla_vlan_qos_mapping; "0:1 3:5" as in ip-link(8)
)

// What a number means, unless it is one.
const (
	Bool    Wire = 1 << 4
	Seconds Wire = 1 << 5 // in hundredths
	Word    Wire = 1 << 6 // one of Words
	Device  Wire = 1 << 7 // ifindex of a device
)

// Layout is w without the meaning.
func (w Wire) Layout() Wire { return w & 15 }

// Attr is one attribute of a kind. Values are as in JSON: bool, float64 or string.
type Attr struct {
	Name string // of the module's argument
	Num  uint16 // IFLA_...
	Wire Wire
	// Bit is the bit of a Bool that shares Num with others. Of other values: the bit of the attribute Also (BE16) that says
	// that this one counts, as the flags of a GRE tunnel do of its keys.
	Bit  uint32
	Also uint16
	// Six says that it counts with an IPv6 remote only.
	Six bool
	// Mask says that bits of Num are followed by the mask of those that are meant (struct ifla_vlan_flags).
	Mask bool
	At   int // offset in an attribute that holds several numbers
	// Min and Max are the least and the most that the kernel takes of a number; without Max, what the layout has room for.
	Min, Max float64
	// Beside names an attribute that this one is counted in, and changes with where it is not set again (bond_fill_info,
	// drivers/net/bonding/bond_netlink.c).
	Beside string
	// By names an attribute that clears this one, and is not looked at beside it (geneve_nl2info, drivers/net/geneve.c).
	By string
	// Words are the values of a Word.
	Words []Value
	// Default is what the kernel says of a new device; nil: nothing.
	Default any
}

// Value is a word and the number that stands for it.
type Value struct {
	Word   string
	Number uint64
}

// Limits are the least and the most that a number can be.
func (a *Attr) Limits() (low, high float64) {
	if a.Max > 0 {
		return a.Min, a.Max
	}
	switch a.Wire.Layout() {
	case U8:
		return a.Min, 1<<8 - 1
	case U16, BE16:
		return a.Min, 1<<16 - 1
	}
	return a.Min, 1<<32 - 1
}

// Kind is what all devices of a kind have in common.
type Kind struct {
	Name  string
	Attrs []Attr
	// Link is the number of the attribute that names the device below, where it is not IFLA_LINK.
	Link uint16
	// Alone says that a change of them refuses an MTU beside it (vxlan_nl2conf, drivers/net/vxlan/vxlan_core.c).
	Alone bool
	// Routed says that the MTU is what the route to the other end leaves, at creation and again with each change that does not
	// say what it should be.
	Routed bool
	// Family is 4 or 6 where the outer packets are of one family only.
	Family int
	// Whole says that a change resets whatever it does not repeat (ipgre_netlink_parms, net/ipv4/ip_gre.c).
	Whole bool
}

// Of returns a kind, nil if nothing is known of it.
func Of(name string) *Kind { return find(all, name) }

// Port returns what ports have of their master's kind; nil if nothing is known of it.
func Port(master string) *Kind { return find(ports, master) }

func find(table []Kind, name string) *Kind {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// Find returns the attribute called name, nil if there is none.
func (k *Kind) Find(name string) *Attr {
	if k == nil {
		return nil
	}
	for i := range k.Attrs {
		if k.Attrs[i].Name == name {
			return &k.Attrs[i]
		}
	}
	return nil
}

// Get returns the value of an attribute: that in data, which holds what is not the default, or the default. nil: none.
func (k *Kind) Get(data map[string]any, name string) any {
	if v, ok := data[name]; ok {
		return v
	}
	if a := k.Find(name); a != nil {
		return a.Default
	}
	return nil
}

// With returns data with what want sets, and without what is the default then. Attributes that are one to the kernel
// exclude each other.
func (k *Kind) With(data, want map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range data {
		out[name] = v
	}
	for name, v := range want {
		a := k.Find(name)
		if a == nil {
			continue
		}
		for _, other := range k.Attrs {
			if other.Num == a.Num && a.Wire >= Unicast && a.Wire <= Multicast {
				delete(out, other.Name)
			}
		}
		out[name] = v
		if v == a.Default {
			delete(out, name)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Int returns a number as Get does, 0 if there is none.
func (k *Kind) Int(data map[string]any, name string) int {
	n, _ := k.Get(data, name).(float64)
	return int(n)
}
