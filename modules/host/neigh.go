package host

import "context"

// Neigh is an entry of the ARP or NDP table, as ip-neighbour(8). A proxy entry has neither lladdr nor state.
type Neigh struct {
	Link   string `json:"dev"`
	IP     string `json:"ip"`
	MAC    string `json:"lladdr,omitempty"`
	State  string `json:"state,omitempty"` // permanent, reachable, stale, delay, probe, incomplete, failed, noarp
	Proxy  bool   `json:"proxy,omitempty"`
	Router bool   `json:"router,omitempty"`
}

// Configured reports whether somebody put the entry there: it was neither learned, nor made by the kernel for an address
// that needs no asking (broadcast, multicast, loopback).
func (n Neigh) Configured() bool {
	mac, _ := ParseMAC(n.MAC)
	return n.Proxy || n.State == "permanent" || n.State == "noarp" && len(mac) > 0 && mac[0]&1 == 0 && n.MAC != ZeroMAC
}

// ZeroMAC stands in a VXLAN's forwarding database for every address that is not known.
const ZeroMAC = "00:00:00:00:00:00"

// FDBEntry is an entry of a forwarding database, as bridge(8) fdb.
type FDBEntry struct {
	Link   string `json:"dev"`
	MAC    string `json:"lladdr"`
	Master string `json:"master,omitempty"` // the bridge that holds it
	Self   bool   `json:"self,omitempty"`   // held by the device itself
	Dst    string `json:"dst,omitempty"`    // VXLAN: remote address
	Port   int    `json:"port,omitempty"`   // 0: the device's own, as are VNI and Via
	VNI    int    `json:"vni,omitempty"`
	VLAN   int    `json:"vlan,omitempty"`
	Via    string `json:"via,omitempty"`
	State  string `json:"state"`            // permanent, static, dynamic (also what was learned)
	Extern bool   `json:"extern,omitempty"` // a routing daemon's (extern_learn)
}

// Many reports whether the entry is one of several that a VXLAN may have for its MAC address: one for each remote.
func (e FDBEntry) Many() bool {
	mac, _ := ParseMAC(e.MAC)
	return e.Dst != "" && len(mac) > 0 && (mac[0]&1 != 0 || e.MAC == ZeroMAC)
}

// Neighs reads and changes neighbours and forwarding databases of one namespace.
type Neighs interface {
	List(ctx context.Context, link string) ([]Neigh, error) // link "": all
	// Get returns the entry of n.Link, n.IP and n.Proxy: ErrNotExist.
	Get(ctx context.Context, n Neigh) (Neigh, error)
	Set(ctx context.Context, n Neigh) error    // add or replace, permanent unless State says otherwise
	Delete(ctx context.Context, n Neigh) error // ErrNotExist
	// FDB returns what the device holds itself and what its bridge holds for it; of a bridge, all that it holds. link "": all.
	FDB(ctx context.Context, link string) ([]FDBEntry, error)
	// GetFDB returns the entries of e.Link, e.MAC and e.VLAN that the device (e.Self) or its bridge holds: none, one, or one for
	// each remote of a VXLAN.
	GetFDB(ctx context.Context, e FDBEntry) ([]FDBEntry, error)
	// SetFDB adds or replaces entries, few requests for many. Of Many only one that is the same in all but State is replaced.
	SetFDB(ctx context.Context, es ...FDBEntry) error
	DeleteFDB(ctx context.Context, es ...FDBEntry) error // ErrNotExist
}

// Sysctls reads and changes kernel parameters as seen from one namespace. Keys are written with dots, and a slash inside a
// component stands for a dot in a device name (sysctl(8)): "net.ipv4.conf.eth0/100.rp_filter".
type Sysctls interface {
	Get(ctx context.Context, key string) (string, error) // tabs become single blanks, no trailing newline; ErrNotExist
	Set(ctx context.Context, key, value string) error    // ErrNotExist, ErrPermission, invalid argument
	// All returns every readable key below prefix ("net.ipv4"); "" is all of net.
	All(ctx context.Context, prefix string) (map[string]string, error)
}
