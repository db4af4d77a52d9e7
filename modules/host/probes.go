package host

import (
	"context"
	"time"
)

// PingOptions say how to ping. Source may be "" (the kernel chooses).
type PingOptions struct {
	Count    int
	Interval time.Duration
	Timeout  time.Duration // per packet
	Size     int           // bytes of payload
	Source   string
	DF       bool // IPv4 do not fragment
}

// PingResult counts what came back. Unreachable is set when the kernel or a router said so (no route, ICMP destination
// unreachable): that is not the same as loss.
type PingResult struct {
	Sent, Received int
	Unreachable    string        // "" or who said what: "network is unreachable", "host unreachable from 10.0.0.1"
	RTT            time.Duration // mean of those received
}

// Probes look at the network from inside a namespace; they need no tool on the host.
type Probes interface {
	Ping(ctx context.Context, address string, o PingOptions) (PingResult, error)
	// TCP connects to host:port; the error matches ErrUnreachable, "connection refused" or a timeout.
	TCP(ctx context.Context, address string, timeout time.Duration) error
	// HTTP sends one GET over TCP and returns the status and the body (first 64 KiB).
	HTTP(ctx context.Context, url string, timeout time.Duration) (status int, body []byte, err error)
}
