package linux

import (
	"context"
	"slices"
	"sync"
	"time"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// maxAge bounds how long a dump is believed. The kernel notifies of what it does, but flushes IPv4 routes silently a
// moment after it said that their device went down.
const maxAge = time.Second

// cache keeps the addresses and routes of one namespace between reads and follows the kernel's notifications: a thousand
// objects handled one by one would otherwise cost a dump of all of them each. It believes nothing that it cannot follow
// exactly: then it forgets, and the next read asks again.
type cache struct {
	mu     sync.Mutex
	events *rtnl.Conn // nil until the first read
	addrs  *addrCache // nil: not known
	routes map[tableKey]*routeTable
	names  map[uint32]string // of devices, until the kernel notifies of any link
}

type tableKey struct{ family, table int }

// addrCache holds addresses by ifindex.
type addrCache struct {
	read    time.Time
	byIndex map[uint32][]host.Addr
	order   []uint32 // indexes in the order of the dump
}

// routeTable holds one table by destination.
type routeTable struct {
	read  time.Time
	byDst map[string][]host.Route
	order []string
}

func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events != nil {
		_ = c.events.Close()
		c.events = nil
	}
	c.forget()
}

// drop forgets all: something was done of which the kernel does not tell at once.
func (c *cache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
}

func (c *cache) forget() { c.addrs, c.routes, c.names = nil, nil, nil }

// decoder is for notifications: a thousand routes would otherwise ask a thousand times for the name of their device.
func (c *cache) decoder(n *Net) *decoder {
	if c.names == nil {
		c.names = map[uint32]string{}
	}
	return &decoder{n: n, names: c.names}
}

// followLocked brings the cache up to date with all that has happened until now.
func (c *cache) followLocked(n *Net) error {
	if c.events == nil {
		c.forget()
		return n.h.inNetNS(n.fd, func() (err error) {
			c.events, err = rtnl.Listen(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
			return err
		})
	}
	events, err := c.events.Pending()
	if err != nil {
		c.forget()
		return nil
	}
	for _, e := range events {
		switch e.Type {
		case unix.RTM_NEWADDR, unix.RTM_DELADDR:
			c.addrs.follow(c.decoder(n), e)
			c.routes = nil // connected routes, and others that go silently with an address
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			c.followRoute(n, e)
		default:
			c.forget()
		}
	}
	return nil
}

// addresses returns those of one device, 0 for all; IPv4 first.
func (c *cache) addresses(ctx context.Context, n *Net, index uint32) ([]host.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.followLocked(n); err != nil {
		return nil, err
	}
	if c.addrs == nil || time.Since(c.addrs.read) > maxAge {
		var err error
		if c.addrs, err = n.dumpAddrs(ctx); err != nil {
			c.addrs = nil
			return nil, err
		}
	}
	if index != 0 {
		return c.addrs.byIndex[index], nil // never changed in place
	}
	out := []host.Addr{}
	for _, i := range c.addrs.order {
		out = append(out, c.addrs.byIndex[i]...)
	}
	return out, nil
}

func (a *addrCache) add(index uint32, addr host.Addr) {
	if _, ok := a.byIndex[index]; !ok {
		a.order = append(a.order, index)
	}
	a.byIndex[index] = append(a.byIndex[index], addr) // beyond the end of what was handed out
}

// follow applies one notification.
func (a *addrCache) follow(d *decoder, e rtnl.Reply) {
	if a == nil {
		return
	}
	index := rtnl.U32(e.Data[4:])
	addr := d.addr(e.Data)
	list := a.byIndex[index]
	at := slices.IndexFunc(list, func(o host.Addr) bool { return o.CIDR == addr.CIDR && o.Peer == addr.Peer })
	switch {
	case e.Type == unix.RTM_DELADDR && at >= 0:
		a.byIndex[index] = slices.Delete(slices.Clone(list), at, at+1)
	case e.Type == unix.RTM_DELADDR:
	case at >= 0:
		a.byIndex[index] = slices.Clone(list)
		a.byIndex[index][at] = addr
	default:
		a.add(index, addr)
	}
}

// list returns the routes of one table, or of all of a family (which is not kept).
func (c *cache) list(ctx context.Context, n *Net, family, table int, dst string) ([]host.Route, error) {
	if table == host.AllTables {
		all, err := n.dumpRoutes(ctx, family, table)
		return all, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.followLocked(n); err != nil {
		return nil, err
	}
	key := tableKey{family, table}
	t := c.routes[key]
	if t == nil || time.Since(t.read) > maxAge {
		all, err := n.dumpRoutes(ctx, family, table)
		if err != nil {
			return nil, err
		}
		t = &routeTable{read: time.Now(), byDst: map[string][]host.Route{}}
		for _, r := range all {
			t.add(r)
		}
		if c.routes == nil {
			c.routes = map[tableKey]*routeTable{}
		}
		c.routes[key] = t
	}
	if dst != "" {
		return slices.Clone(t.byDst[dst]), nil
	}
	out := []host.Route{}
	for _, d := range t.order {
		out = append(out, t.byDst[d]...)
	}
	return out, nil
}

func (t *routeTable) add(r host.Route) {
	if _, ok := t.byDst[r.Dst]; !ok {
		t.order = append(t.order, r.Dst)
	}
	t.byDst[r.Dst] = append(t.byDst[r.Dst], r)
}

// followRoute applies one notification, or forgets the table where what it means depends on more than itself: IPv6
// notifies of multipath routes path by path.
func (c *cache) followRoute(n *Net, e rtnl.Reply) {
	r, ok := c.decoder(n).route(e.Data)
	key := tableKey{r.Family, r.Table}
	t := c.routes[key]
	if t == nil || !ok && r.Type != "" {
		return
	}
	list := t.byDst[r.Dst]
	at := slices.IndexFunc(list, func(o host.Route) bool { return o.Metric == r.Metric })
	plain := r.Family == 4 && e.Flags&unix.NLM_F_APPEND == 0 || len(r.NextHops) == 0 && (at < 0 || len(list[at].NextHops) == 0)
	switch {
	case !plain:
		delete(c.routes, key)
	case e.Type == unix.RTM_DELROUTE && at >= 0:
		t.byDst[r.Dst] = slices.Delete(list, at, at+1)
	case e.Type == unix.RTM_DELROUTE:
		delete(c.routes, key)
	case at < 0:
		t.add(r)
	case e.Flags&unix.NLM_F_REPLACE != 0:
		list[at] = r
	default:
		delete(c.routes, key)
	}
}
