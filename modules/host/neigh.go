package host

import "context"

// Neigh is an entry of the ARP or NDP table, as ip-neighbour(8).
type Neigh struct {
	Link  string `json:"dev"`
	IP    string `json:"ip"`
	MAC   string `json:"lladdr,omitempty"`
	State string `json:"state,omitempty"` // permanent, reachable, stale, delay, probe, incomplete, failed, noarp
	Proxy bool   `json:"proxy,omitempty"`
}

// FDBEntry is an entry of a forwarding database, as bridge(8) fdb.
type FDBEntry struct {
	Link      string `json:"dev"`
	MAC       string `json:"lladdr"`
	Master    string `json:"master,omitempty"` // the bridge that holds it
	Self      bool   `json:"self,omitempty"`   // held by the device itself
	Dst       string `json:"dst,omitempty"`    // VXLAN: remote address
	Port      int    `json:"port,omitempty"`
	VNI       int    `json:"vni,omitempty"`
	VLAN      int    `json:"vlan,omitempty"`
	Via       string `json:"via,omitempty"`
	Permanent bool   `json:"permanent,omitempty"` // local or configured; false: learned
}

// Neighs reads and changes neighbours and forwarding databases of one namespace.
type Neighs interface {
	List(ctx context.Context, link string) ([]Neigh, error) // link "": all
	Set(ctx context.Context, n Neigh) error                 // add or replace, permanent unless State says otherwise
	Delete(ctx context.Context, n Neigh) error              // ErrNotExist
	FDB(ctx context.Context, link string) ([]FDBEntry, error)
	AddFDB(ctx context.Context, e FDBEntry) error
	DeleteFDB(ctx context.Context, e FDBEntry) error
}

// Sysctls reads and changes kernel parameters as seen from one namespace. Keys are written with dots, and a slash inside a
// component stands for a dot in a device name (sysctl(8)): "net.ipv4.conf.eth0/100.rp_filter".
type Sysctls interface {
	Get(ctx context.Context, key string) (string, error) // tabs become single blanks, no trailing newline; ErrNotExist
	Set(ctx context.Context, key, value string) error    // ErrNotExist, ErrPermission, invalid argument
	// All returns every readable key below prefix ("net.ipv4"); "" is all of net.
	All(ctx context.Context, prefix string) (map[string]string, error)
}
