package host

import (
	"context"
	"errors"
	"time"
)

// How a connection can end besides ErrUnreachable.
var (
	ErrRefused = errors.New("connection refused")
	ErrTimeout = errors.New("timed out")
)

// PingOptions say how to ping. Source may be "" (the kernel chooses).
type PingOptions struct {
	Count    int           // 0: 1
	Interval time.Duration // 0: 1 s
	Timeout  time.Duration // how long to wait for the answer to each packet; 0: 1 s
	Size     int           // bytes of payload
	Source   string        // address or, for IPv4 and IPv6, interface name
	DF       bool          // never fragmented, neither here (IPv6, too) nor on the way
}

// PingResult counts what came back. Unreachable is set when the kernel or a router said so (no route, ICMP destination
// unreachable): that is not the same as loss.
type PingResult struct {
	Sent, Received int
	Unreachable    string        // "" or who said what: "network is unreachable (no route)", "host unreachable from 10.0.0.1"
	Note           string        // "" or why packets may have been lost: "not permitted by the netfilter rules of this host"
	RTT            time.Duration // mean of those received
}

// RouteQuery is a packet whose way is asked for. All but Dst may be empty.
type RouteQuery struct {
	Dst, From, IIF string
	Mark           uint32
}

// Probes look at the network from inside a namespace; they need no tool on the host.
type Probes interface {
	// Ping sends ICMP echo requests to an address (a name is resolved, IPv4 first; IPv6 link-local as fe80::1%eth0). What
	// became of the packets is in the result; an error says that none could be made.
	Ping(ctx context.Context, address string, o PingOptions) (PingResult, error)
	// TCP connects to host:port and closes; the error matches ErrUnreachable, ErrRefused or ErrTimeout.
	TCP(ctx context.Context, address string, timeout time.Duration) error
	// HTTP sends one GET over TCP (http:// only, redirects are not followed) and returns the status and the body (first
	// 64 KiB). The errors are those of TCP, and of an answer that is not HTTP.
	HTTP(ctx context.Context, url string, timeout time.Duration) (status int, body []byte, err error)
	// RouteGet asks the kernel which route a packet would take, and from which address. ErrUnreachable says why there is none.
	RouteGet(ctx context.Context, q RouteQuery) (Route, error)
	// Proc returns the text of a file of /proc/net as the namespace shows it; "" when this kernel has none.
	Proc(ctx context.Context, name string) (string, error)
}
