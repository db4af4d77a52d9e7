package memory

import (
	"context"
	"io"
	"time"

	"labctl/modules/host"
)

type probes struct{}

// Probes returns what refuses to probe: no packet leaves a host in memory.
func (n *Net) Probes() host.Probes { return probes{} }

func (probes) Ping(_ context.Context, address string, _ host.PingOptions) (host.PingResult, error) {
	return host.PingResult{}, &host.Error{Op: "ping", Object: address, Kind: host.ErrUnsupported}
}

func (probes) TCP(_ context.Context, address string, _ host.PingOptions) error {
	return &host.Error{Op: "connect to", Object: address, Kind: host.ErrUnsupported}
}

func (probes) Listen(_ context.Context, proto string, _ int, _ func([]byte) []byte) (io.Closer, error) {
	return nil, &host.Error{Op: "listen on", Object: proto, Kind: host.ErrUnsupported}
}

func (probes) HTTP(_ context.Context, url string, _ time.Duration) (int, []byte, error) {
	return 0, nil, &host.Error{Op: "get", Object: url, Kind: host.ErrUnsupported}
}

func (probes) RouteGet(_ context.Context, q host.RouteQuery) (host.Route, error) {
	return host.Route{}, &host.Error{Op: "get route to", Object: q.Dst, Kind: host.ErrUnsupported}
}

func (probes) Proc(_ context.Context, name string) (string, error) {
	return "", &host.Error{Op: "read", Object: "/proc/net/" + name, Kind: host.ErrUnsupported}
}

func (probes) Capture(_ context.Context, o host.CaptureOptions) (host.Capture, error) {
	return nil, &host.Error{Op: "capture on", Object: o.Dev, Kind: host.ErrUnsupported}
}

func (probes) UDP(_ context.Context, address string, _ []byte, _ host.PingOptions) ([]byte, host.PingResult, error) {
	return nil, host.PingResult{}, &host.Error{Op: "send to", Object: address, Kind: host.ErrUnsupported}
}

func (probes) Exchange(_ context.Context, address string, _ []byte, _ func([]byte) bool, _ time.Duration) ([]byte, error) {
	return nil, &host.Error{Op: "connect to", Object: address, Kind: host.ErrUnsupported}
}

func (probes) Stream(_ context.Context, _, address string, _ host.StreamOptions, _ func() []byte) (host.StreamResult, error) {
	return host.StreamResult{}, &host.Error{Op: "connect to", Object: address, Kind: host.ErrUnsupported}
}

func (probes) KernelLog(context.Context) (host.KernelLog, error) {
	return nil, &host.Error{Op: "read", Object: "/dev/kmsg", Kind: host.ErrUnsupported}
}

func (probes) Kept() *host.Kept { return &host.Kept{} }
