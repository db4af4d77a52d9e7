package host

import (
	"context"
	"errors"
	"io"
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
	TTL      int           // time to live or hop limit; 0: the host's own
	Family   int           // 4 or 6: of a name that has addresses of both; 0: IPv4 first
	Payload  []byte        // what the payload of a ping begins with
}

// PingResult counts what came back. Unreachable is set when the kernel or a router said so (no route, ICMP destination
// unreachable): that is not the same as loss.
type PingResult struct {
	Sent, Received int
	Unreachable    string        // "" or who said what: "network is unreachable (no route)", "host unreachable from 10.0.0.1"
	From           string        // who said that it is unreachable; "" for this host
	Expired        bool          // it said so as the time to live was over
	Note           string        // "" or why packets may have been lost: "not permitted by the netfilter rules of this host"
	RTT            time.Duration // mean of those received
}

// StreamOptions say how to send a stream.
type StreamOptions struct {
	Source   string        // address or interface name
	Timeout  time.Duration // how long to wait for the connection
	Duration time.Duration // how long to send
	MSS      int           // of TCP: what a segment carries at most; 0: what the MTU allows
}

// StreamResult is what became of a stream, as its sender knows. All but Told is of TCP.
type StreamResult struct {
	Acked       int64 // bytes that the receiver has confirmed
	MSS, MTU    int   // what a segment carries; the MTU of the way, as far as known
	Retransmits int   // segments
	Told        string
}

// RouteQuery is a packet whose way is asked for. All but Dst may be empty.
type RouteQuery struct {
	Dst, From, IIF string
	Mark           uint32
}

// BPF is an instruction of classic BPF: struct sock_filter.
type BPF struct {
	Op     uint16
	Jt, Jf uint8
	K      uint32
}

// CaptureOptions say what to capture.
type CaptureOptions struct {
	Dev string // "": all of the namespace, whose frames are taken as those of devices without Ethernet headers
	// Ethernet and Plain are the filters for devices with Ethernet headers and for those without; nil passes all.
	Ethernet, Plain []BPF
	Promisc         bool // ask the device for frames that are not for it
}

// Frame is a frame as it was on the wire: a VLAN tag that the kernel took out is back in its place, and one of a device without
// Ethernet headers has one of zeros.
type Frame struct {
	Time     time.Time
	Data     []byte
	Length   int // of the whole frame, when Data is cut
	Outgoing bool
}

// Capture is a packet socket that is open. The kernel keeps the frames that come until they are asked for.
type Capture interface {
	// Next returns the next frame; nil when none comes within wait.
	Next(ctx context.Context, wait time.Duration) (*Frame, error)
	// Send puts a frame on the wire.
	Send(frame []byte) error
	// Dropped returns how many frames were lost since nobody asked for them in time.
	Dropped() int
	Close() error
}

// KernelLog is the log of the kernel from some point on.
type KernelLog interface {
	// Read returns the messages that have come since the last call, without priority and time.
	Read() ([]string, error)
	Close() error
}

// Probes look at the network from inside a namespace; they need no tool on the host.
type Probes interface {
	// Ping sends ICMP echo requests to an address (a name is resolved, IPv4 first; IPv6 link-local as fe80::1%eth0). What
	// became of the packets is in the result; an error says that none could be made.
	Ping(ctx context.Context, address string, o PingOptions) (PingResult, error)
	// UDP sends a datagram to host:port and awaits one: o.Count, Interval and Size mean nothing. The answer is nil when none came;
	// Unreachable is set when the kernel, a router or the receiver (port unreachable) said so.
	UDP(ctx context.Context, address string, payload []byte, o PingOptions) (answer []byte, r PingResult, err error)
	// TCP connects to host:port and closes; of o, Source, Family and Timeout count. The error matches ErrUnreachable, ErrRefused
	// or ErrTimeout.
	TCP(ctx context.Context, address string, o PingOptions) error
	// Stream sends for o.Duration, or until that is nil, what next returns, over TCP or in datagrams of UDP, and drops what has not left the host
	// then. What UDP is told of a datagram does not end it. The error is that of TCP.
	Stream(ctx context.Context, proto, address string, o StreamOptions, next func() []byte) (StreamResult, error)
	// Listen takes a port of all addresses, of TCP or UDP. Every datagram, and what connections bring as it comes, is given to
	// answer, from several goroutines, and what that returns sent back. With nil, connections stand but are not spoken on.
	// ErrBusy when somebody has the port.
	Listen(ctx context.Context, proto string, port int, answer func([]byte) []byte) (io.Closer, error)
	// Exchange sends a request over TCP and returns what comes back until enough says that this is all, or the end.
	Exchange(ctx context.Context, address string, request []byte, enough func([]byte) bool, timeout time.Duration) ([]byte, error)
	// HTTP sends one GET over TCP (http:// only, redirects are not followed) and returns the status and the body (first
	// 64 KiB). The errors are those of TCP, and of an answer that is not HTTP.
	HTTP(ctx context.Context, url string, timeout time.Duration) (status int, body []byte, err error)
	// RouteGet asks the kernel which route a packet would take, and from which address. ErrUnreachable says why there is none.
	RouteGet(ctx context.Context, q RouteQuery) (Route, error)
	// Proc returns the text of a file of /proc/net as the namespace shows it; "" when this kernel has none.
	Proc(ctx context.Context, name string) (string, error)
	// Capture opens a packet socket. ErrNotExist when there is no such device.
	Capture(ctx context.Context, o CaptureOptions) (Capture, error)
	// KernelLog opens the log of the kernel at its end. It is the same in all namespaces.
	KernelLog(ctx context.Context) (KernelLog, error)
	// Kept is shared by all namespaces of the host.
	Kept() *Kept
}
