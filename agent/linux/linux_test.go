package linux

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// freshHost puts the test on a thread of its own in a new network namespace, and ends that thread with the test. Named
// namespaces go to a directory of the test's.
func freshHost(t testing.TB) *Host {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal("needs root to make network namespaces")
		}
		t.Skip("needs root to make network namespaces")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare: %v", err)
	}
	h := New()
	h.dir = t.TempDir()
	t.Cleanup(func() {
		names, _ := h.NetNS().List(context.Background())
		for _, n := range names {
			_ = h.NetNS().Delete(context.Background(), n)
		}
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		_ = unix.Unmount(h.dir, unix.MNT_DETACH)
	})
	return h
}

func ctxOf(t testing.TB) context.Context { return context.Background() }

func mustNet(t testing.TB, h *Host, ref string) host.Net {
	t.Helper()
	n, err := h.Net(ctxOf(t), ref)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFactsAreCheap(t *testing.T) {
	h := freshHost(t)
	start := time.Now()
	f, err := h.Facts(ctxOf(t))
	t.Logf("%v %+v", time.Since(start), f)
	if err != nil || f.Kernel == "" || f.Interfaces["lo"].Type != "loopback" {
		t.Fatalf("facts: %+v, %v", f, err)
	}
}

func TestExplore(t *testing.T) {
	h := freshHost(t)
	ctx := ctxOf(t)
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%v", err)
		}
	}
	n := mustNet(t, h, "")
	ls, err := n.Links().List(ctx)
	try(err)
	t.Logf("%+v", ls)
	try(h.NetNS().Create(ctx, "a"))
	if err := h.NetNS().Create(ctx, "a"); !errors.Is(err, host.ErrExist) {
		t.Error(err)
	}
	try(n.Links().Create(ctx, host.Link{Name: "v0", Kind: "veth", Up: ptr(true), Peer: &host.LinkRef{Name: "v1", NetNS: "a"}}))
	l, err := n.Links().Get(ctx, "v0")
	try(err)
	t.Logf("%+v %+v", l, l.Peer)
	l, err = mustNet(t, h, "a").Links().Get(ctx, "v1")
	try(err)
	t.Logf("%+v %+v", l, l.Peer)
	try(n.Addrs().Add(ctx, host.Addr{Link: "v0", CIDR: "10.0.0.1/24"}))
	try(n.Addrs().Add(ctx, host.Addr{Link: "v0", CIDR: "fd00::1/64"}))
	as, err := n.Addrs().List(ctx, "")
	try(err)
	t.Logf("%+v", as)
	try(n.Routes().Add(ctx, host.Route{Family: 4, Dst: "default", Via: "10.0.0.2"}))
	try(n.Routes().Add(ctx, host.Route{Family: 6, Dst: "default", Via: "fd00::2"}))
	try(n.Routes().Add(ctx, host.Route{Family: 4, Dst: "10.9.0.0/16", Table: 1000, NextHops: []host.NextHop{{Via: "10.0.0.2"}, {Via: "10.0.0.3", Weight: 5}}}))
	try(n.Routes().Add(ctx, host.Route{Family: 6, Dst: "fd09::/16", Table: 1000, NextHops: []host.NextHop{{Via: "fd00::2"}, {Via: "fd00::3", Weight: 5}}}))
	try(n.Routes().Add(ctx, host.Route{Family: 6, Dst: "fd10::/16", Type: "blackhole"}))
	err = n.Routes().Add(ctx, host.Route{Family: 4, Dst: "1.0.0.0/8", Via: "99.9.9.9"})
	t.Log(err, errors.Is(err, host.ErrUnreachable))
	rs, err := n.Routes().List(ctx, host.RouteFilter{Table: host.AllTables})
	try(err)
	for _, r := range rs {
		t.Logf("%+v", r)
	}
	try(n.Rules().Add(ctx, host.Rule{Family: 4, Priority: 100, From: "10.0.0.0/8", FwMark: 3, Table: 1000, SPort: "10-20", IPProto: 6}))
	ru, err := n.Rules().List(ctx, 0)
	try(err)
	t.Logf("%+v", ru)
	err = n.Links().Create(ctx, host.Link{Name: "vx0", Kind: "vxlan", VXLAN: &host.VXLAN{VNI: ptr(1 << 24)}})
	t.Log(err)
	try(n.Links().Create(ctx, host.Link{Name: "vx0", Kind: "vxlan", Up: ptr(true), Parent: &host.LinkRef{Name: "v0"}, VXLAN: &host.VXLAN{VNI: ptr(100), Remote: ptr("10.0.0.9")}}))
	try(n.Links().Create(ctx, host.Link{Name: "br0", Kind: "bridge", Up: ptr(true), Bridge: &host.Bridge{STP: ptr(true), Priority: ptr(4096), ForwardDelay: ptr(4.0)}}))
	try(n.Links().Set(ctx, host.Link{Name: "vx0", Master: ptr("br0")}))
	try(n.Links().Create(ctx, host.Link{Name: "tap0", Kind: "tun", Up: ptr(true)}))
	try(n.Links().Create(ctx, host.Link{Name: "mv0", Kind: "macvlan", Parent: &host.LinkRef{Name: "v0"}, Macvlan: &host.Macvlan{Mode: ptr("bridge")}}))
	ls, err = n.Links().List(ctx)
	try(err)
	for _, l := range ls {
		t.Logf("%+v %+v", l, l.Parent)
	}
	p, err := n.Links().Ports(ctx, "br0")
	t.Log(p, err)
	f, err := n.Neighs().FDB(ctx, "vx0")
	t.Logf("%+v %v", f, err)
	s, err := n.Sysctls().Get(ctx, "net.ipv4.conf.v0.forwarding")
	t.Log(s, err)
	try(n.Sysctls().Set(ctx, "net.ipv4.conf.v0.forwarding", "1"))
	s, err = n.Sysctls().Get(ctx, "net.ipv4.conf.v0.forwarding")
	t.Log(s, err)
	start := time.Now()
	all, err := n.Sysctls().All(ctx, "")
	t.Log(len(all), err, time.Since(start))
	sc, err := h.Scratch(ctx)
	try(err)
	ls, err = sc.Links().List(ctx)
	t.Logf("%+v %v", ls, err)
}
