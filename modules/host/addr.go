package host

import "context"

// Addr is an address of a device, as ip-address(8).
type Addr struct {
	Link      string `json:"dev"`
	CIDR      string `json:"cidr"`                // "192.168.50.4/24"; the address itself, host bits kept
	Peer      string `json:"peer,omitempty"`      // CIDR of the other end of a point-to-point address
	Broadcast string `json:"broadcast,omitempty"` // IPv4 only; "" none
	Scope     string `json:"scope,omitempty"`     // global, link, host, site; "" is global in writes
	Label     string `json:"label,omitempty"`     // IPv4 only
	// Dynamic: the kernel or a daemon put it there with a lifetime or from an advertisement (not IFA_F_PERMANENT), or it is
	// the kernel's own IPv6 link-local address. Never removed by exclusive.
	Dynamic bool `json:"dynamic,omitempty"`
	NoDAD   bool `json:"nodad,omitempty"`
}

// Addrs reads and changes the addresses of one namespace.
type Addrs interface {
	// List returns the addresses of a device, IPv4 first, in kernel order; link "" means of all devices.
	List(ctx context.Context, link string) ([]Addr, error)
	Add(ctx context.Context, a Addr) error    // ErrExist
	Delete(ctx context.Context, a Addr) error // ErrNotExist; Link and CIDR decide
}
