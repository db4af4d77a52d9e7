package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Proc reads on a thread in the namespace: /proc/net is that of the process's first thread.
func (p probes) Proc(_ context.Context, name string) (string, error) {
	var b []byte
	err := p.do(func() (err error) {
		b, err = os.ReadFile("/proc/thread-self/net/" + name)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(b), failed("read", "/proc/net/"+name, cause(err))
}

// RouteGet is RTM_GETROUTE without a dump.
func (p probes) RouteGet(_ context.Context, q host.RouteQuery) (host.Route, error) {
	r, err := p.n.routeGet(q)
	if errno, _ := errors.AsType[unix.Errno](err); refusal(errno) != "" && (errno != unix.EINVAL || q.IIF == "") {
		return r, &host.Error{Op: "route to", Object: q.Dst, Kind: host.ErrUnreachable, Err: errors.New(refusal(errno))}
	}
	switch r.Type {
	case "blackhole", "unreachable", "prohibit", "throw": // IPv6 returns those like others
		return r, &host.Error{Op: "route to", Object: q.Dst, Kind: host.ErrUnreachable, Err: fmt.Errorf("a route of this host is of type %s", r.Type)}
	}
	return r, failed("get route to", q.Dst, err)
}

func (n *Net) routeGet(q host.RouteQuery) (host.Route, error) {
	dst, err := netip.ParseAddr(q.Dst)
	if err != nil {
		return host.Route{}, err
	}
	header := make([]byte, unix.SizeofRtMsg)
	header[0], header[1] = familyOf(dst), byte(dst.BitLen())
	if dst.Is4() { // name the table, not the main one whatever it is; IPv6 does so anyway, and refuses the flag
		rtnl.Put32(header[8:], unix.RTM_F_LOOKUP_TABLE)
	}
	m := rtnl.New(unix.RTM_GETROUTE, 0, header).Attr(unix.RTA_DST, dst.AsSlice())
	if q.From != "" {
		from, err := netip.ParseAddr(q.From)
		if err != nil {
			return host.Route{}, err
		}
		m.Patch(2, byte(from.BitLen()))
		m.Attr(unix.RTA_SRC, from.AsSlice())
	}
	if q.IIF != "" {
		index, err := n.index(q.IIF)
		if err != nil {
			return host.Route{}, fmt.Errorf("iif %s: %w", q.IIF, err)
		}
		m.U32(unix.RTA_IIF, uint32(index))
	}
	if q.Mark != 0 {
		m.U32(unix.RTA_MARK, q.Mark)
	}
	b, err := n.conn.Get(m)
	if err != nil {
		return host.Route{}, err
	}
	r, _ := n.newDecoder().route(b) // false only because what is asked for is a clone
	return r, nil
}
