package host

import (
	"context"
	"strconv"
)

// Route is an entry of a routing table, as ip-route(8).
type Route struct {
	Family   int       `json:"family"` // 4 or 6
	Dst      string    `json:"dst"`    // CIDR with the host bits zero; "default" is 0.0.0.0/0 or ::/0
	Type     string    `json:"type"`   // unicast, local, broadcast, blackhole, unreachable, prohibit, throw
	Table    int       `json:"table"`  // 254 is main
	Metric   int       `json:"metric,omitempty"`
	Via      string    `json:"via,omitempty"` // gateway; may be of the other family (RTA_VIA)
	Dev      string    `json:"dev,omitempty"`
	OnLink   bool      `json:"onlink,omitempty"`
	Src      string    `json:"src,omitempty"` // preferred source address
	MTU      int       `json:"mtu,omitempty"`
	Scope    string    `json:"scope,omitempty"`    // IPv4: global, link, host
	Protocol string    `json:"protocol,omitempty"` // kernel, boot, static, ra, dhcp or a number
	NextHops []NextHop `json:"nexthops,omitempty"` // multipath; then Via, Dev and OnLink are empty
}

// String names the route in errors, as ip-route(8) would.
func (r Route) String() string {
	s := r.Dst
	if r.Via != "" {
		s += " via " + r.Via
	}
	if r.Dev != "" {
		s += " dev " + r.Dev
	}
	if r.Table != 0 && r.Table != 254 {
		s += " table " + strconv.Itoa(r.Table)
	}
	return s
}

// NextHop is one path of a multipath route. Weight is 1 to 256.
type NextHop struct {
	Via    string `json:"via,omitempty"`
	Dev    string `json:"dev,omitempty"`
	Weight int    `json:"weight"`
	OnLink bool   `json:"onlink,omitempty"`
}

// AllTables in RouteFilter.Table selects the routes of every table.
const AllTables = -1

// RouteFilter selects routes. Family 0 and Dst "" select all; Table 0 means main. Dst is compared as Route.Dst is written.
type RouteFilter struct {
	Family int
	Table  int
	Dst    string
}

// Routes reads and changes the routing tables of one namespace.
type Routes interface {
	List(ctx context.Context, f RouteFilter) ([]Route, error)
	Add(ctx context.Context, r Route) error // ErrExist; ErrUnreachable when the gateway is not on a link
	// Replace changes the route with r's family, destination, table, metric (and IPv4 TOS 0) or adds it.
	Replace(ctx context.Context, r Route) error
	Delete(ctx context.Context, r Route) error // ErrNotExist
}

// Rule is an entry of the routing policy database, as ip-rule(8).
type Rule struct {
	Family               int    `json:"family"`   // 4 or 6
	Priority             int    `json:"priority"` // unique key within a family for labctl
	Not                  bool   `json:"not,omitempty"`
	From                 string `json:"from,omitempty"` // CIDR; "" is all
	To                   string `json:"to,omitempty"`
	IIF                  string `json:"iif,omitempty"`
	OIF                  string `json:"oif,omitempty"`
	FwMark               uint32 `json:"fwmark,omitempty"`
	FwMask               uint32 `json:"fwmask,omitempty"` // 0 is all ones
	IPProto              int    `json:"ipproto,omitempty"`
	SPort                string `json:"sport,omitempty"` // "80" or "80-90"
	DPort                string `json:"dport,omitempty"`
	Action               string `json:"action"` // lookup, blackhole, unreachable, prohibit
	Table                int    `json:"table,omitempty"`
	SuppressPrefixLength *int   `json:"suppress_prefixlength,omitempty"`
}

// Rules reads and changes the routing policy database of one namespace.
type Rules interface {
	List(ctx context.Context, family int) ([]Rule, error)
	Add(ctx context.Context, r Rule) error    // ErrExist
	Delete(ctx context.Context, r Rule) error // ErrNotExist
}
