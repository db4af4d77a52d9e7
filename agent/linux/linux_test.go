package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// TestMain is the agent for http_responder, whose server is the executable that it is asked of.
func TestMain(m *testing.M) {
	if os.Args[len(os.Args)-1] == host.JobArgument {
		_ = New().Job(func(request []byte) []byte { return append([]byte("done: "), request...) })
		os.Exit(0)
	}
	if os.Args[len(os.Args)-1] == host.RespondArgument {
		fmt.Fprintln(os.Stderr, New().Respond())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

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
	h.dir, h.runDir = t.TempDir(), t.TempDir()
	t.Cleanup(func() {
		all, _ := h.Processes().List(context.Background())
		for _, p := range all {
			_ = h.Processes().Stop(context.Background(), p.Name)
		}
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

// TestErrorsAreTyped checks what callers branch on, and that the kernel's own words arrive.
func TestErrorsAreTyped(t *testing.T) {
	h := freshHost(t)
	ctx, n := ctxOf(t), mustNet(t, h, "")
	bridge := host.Link{Name: "br0", Kind: "bridge"}
	if err := n.Links().Create(ctx, bridge); err != nil {
		t.Fatal(err)
	}
	_, getErr := n.Links().Get(ctx, "nothing")
	_, nsErr := h.Net(ctx, "nothing")
	for name, c := range map[string]struct{ err, want error }{
		"get":     {getErr, host.ErrNotExist},
		"netns":   {nsErr, host.ErrNoNetNS},
		"create":  {n.Links().Create(ctx, bridge), host.ErrExist},
		"kind":    {n.Links().Create(ctx, host.Link{Name: "x0", Kind: "nosuchkind"}), host.ErrUnsupported},
		"master":  {n.Links().Set(ctx, host.Link{Name: "br0", Master: ptr("nothing")}), host.ErrNotExist},
		"address": {n.Addrs().Delete(ctx, host.Addr{Link: "br0", CIDR: "10.0.0.1/24"}), host.ErrNotExist},
		"route":   {n.Routes().Delete(ctx, host.Route{Family: 4, Dst: "10.0.0.0/8"}), host.ErrNotExist},
		"gateway": {n.Routes().Add(ctx, host.Route{Family: 4, Dst: "10.0.0.0/8", Via: "10.9.9.9"}), host.ErrUnreachable},
		"rule":    {n.Rules().Delete(ctx, host.Rule{Family: 4, Priority: 77, Table: 7}), host.ErrNotExist},
		"sysctl":  {n.Sysctls().Set(ctx, "net.ipv4.nothing", "1"), host.ErrNotExist},
		"unlink":  {h.NetNS().Delete(ctx, "nothing"), host.ErrNotExist},
	} {
		var he *host.Error
		if !errors.Is(c.err, c.want) || !errors.As(c.err, &he) {
			t.Errorf("%s: %v, want %v as *host.Error", name, c.err, c.want)
		}
	}
	err := n.Links().Create(ctx, host.Link{Name: "vx0", Kind: "vxlan", Data: host.Attrs{"vni": float64(1 << 24)}})
	if he := new(host.Error); !errors.As(err, &he) || !strings.Contains(he.Ack, "16777216") {
		t.Errorf("vxlan: %v, want the kernel's text about the limit", err)
	}
}

// TestVethAcrossNamespaces checks that each end names the other, wherever it is.
func TestVethAcrossNamespaces(t *testing.T) {
	h := freshHost(t)
	ctx, own := ctxOf(t), mustNet(t, h, "")
	for _, name := range []string{"a", "b"} {
		if err := h.NetNS().Create(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.NetNS().Create(ctx, "a"); !errors.Is(err, host.ErrExist) {
		t.Errorf("create again: %v", err)
	}
	if err := own.Links().Create(ctx, host.Link{Name: "v0", Kind: "veth", Peer: &host.LinkRef{Name: "v1", NetNS: "a"}}); err != nil {
		t.Fatal(err)
	}
	peer := func(ns, name string) host.LinkRef {
		t.Helper()
		l, err := mustNet(t, h, ns).Links().Get(ctx, name)
		if err != nil || l.Peer == nil {
			t.Fatalf("%s in %q: %+v, %v", name, ns, l, err)
		}
		return *l.Peer
	}
	if p := peer("", "v0"); p != (host.LinkRef{Name: "v1", NetNS: "a"}) {
		t.Errorf("v0: %+v", p)
	}
	if p := peer("a", "v1"); p != (host.LinkRef{Name: "v0", NetNS: host.OwnNetNS}) {
		t.Errorf("v1: %+v", p)
	}
	if err := own.Links().Move(ctx, "v0", "b"); err != nil {
		t.Fatal(err)
	}
	if p := peer("a", "v1"); p != (host.LinkRef{Name: "v0", NetNS: "b"}) {
		t.Errorf("v1 after the move: %+v", p)
	}
	if err := h.NetNS().Delete(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := mustNet(t, h, "a").Links().Get(ctx, "v1"); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("v1 outlived its peer's namespace: %v", err)
	}
}

// TestReferences checks that one namespace is one, by whatever reference.
func TestReferences(t *testing.T) {
	h := freshHost(t)
	if err := h.NetNS().Create(ctxOf(t), "a"); err != nil {
		t.Fatal(err)
	}
	if a, b := mustNet(t, h, "a"), mustNet(t, h, h.dir+"/a"); a != b {
		t.Error("a name and its path lead to two namespaces")
	}
	if mustNet(t, h, "") != mustNet(t, h, fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())) {
		t.Error("the own namespace by path is another one")
	}
	for _, ref := range []string{"a/b", "..", "pid:0", "pid:x", "/etc/passwd", "/nothing"} {
		if _, err := h.Net(ctxOf(t), ref); !errors.Is(err, host.ErrNoNetNS) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

// TestScratchIsNobodyElses checks that the scratch namespace has nothing of the host's and stays one.
func TestScratchIsNobodyElses(t *testing.T) {
	h := freshHost(t)
	ctx := ctxOf(t)
	if err := mustNet(t, h, "").Links().Create(ctx, host.Link{Name: "br0", Kind: "bridge"}); err != nil {
		t.Fatal(err)
	}
	a, err := h.Scratch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := h.Scratch(ctx)
	if _, err := a.Links().Get(ctx, "br0"); a != b || !errors.Is(err, host.ErrNotExist) {
		t.Errorf("scratch: %v %v %v", a, b, err)
	}
}

// TestSysctlsAreOfTheNamespace checks that keys are read and written where they belong, dots in device names included.
func TestSysctlsAreOfTheNamespace(t *testing.T) {
	h := freshHost(t)
	ctx, own := ctxOf(t), mustNet(t, h, "")
	if err := h.NetNS().Create(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	there := mustNet(t, h, "a")
	if err := there.Links().Create(ctx, host.Link{Name: "br.7", Kind: "bridge"}); err != nil {
		t.Fatal(err)
	}
	if err := there.Sysctls().Set(ctx, "net.ipv4.conf.br/7.rp_filter", "2"); err != nil {
		t.Fatal(err)
	}
	all, err := there.Sysctls().All(ctx, "net.ipv4.conf")
	if err != nil || all["net.ipv4.conf.br/7.rp_filter"] != "2" {
		t.Errorf("all: %v, %v", all["net.ipv4.conf.br/7.rp_filter"], err)
	}
	if _, err := own.Sysctls().Get(ctx, "net.ipv4.conf.br/7.rp_filter"); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("in the host's own: %v", err)
	}
	if err := own.Sysctls().Set(ctx, "net.ipv4.conf.all.rp_filter", "word"); err == nil || errors.Is(err, host.ErrNotExist) {
		t.Errorf("a word for a number: %v", err)
	}
}

// TestManyLinksGoAtOnce checks that devices deleted by group are those asked for and no others.
func TestManyLinksGoAtOnce(t *testing.T) {
	h := freshHost(t)
	ctx, n := ctxOf(t), mustNet(t, h, "")
	var names []string
	for i := range 20 {
		name := fmt.Sprintf("v%d", i)
		if err := n.Links().Create(ctx, host.Link{Name: name, Kind: "veth", Peer: &host.LinkRef{Name: name + "p"}}); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := n.Links().Delete(ctx, names[:19]...); err != nil {
		t.Fatal(err)
	}
	left, err := n.Links().List(ctx)
	if err != nil || len(left) != 3 {
		t.Errorf("left: %d devices, %v; want lo, v19 and v19p", len(left), err)
	}
}

// TestNoEventsOnSecondRun watches the kernel's notifications while a play of network tasks that changes nothing runs.
func TestNoEventsOnSecondRun(t *testing.T) {
	h := freshHost(t)
	ctx := ctxOf(t)
	calls := []modules.Call{
		benchCall("bridge", `{"name":"br0","ports":[],"stp_state":false}`), benchCall("address", `{"dev":"br0","cidr":["10.0.0.1/24"]}`),
		benchCall("route", `{"dst":"10.9.0.0/16","via":"10.0.0.2"}`), benchCall("rule", `{"priority":"100","table":100}`),
		benchCall("sysctl", `{"key":"net.ipv4.ip_forward","value":"1"}`), benchCall("vxlan", `{"name":"vx0","vni":5,"up":false}`),
	}
	play := func() {
		t.Helper()
		for _, c := range calls {
			m, err := modules.Default.Lookup(c.Module)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Apply(ctx, h, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	play()
	time.Sleep(1500 * time.Millisecond) // the kernel's own follow-up: duplicate detection, link state
	events, err := rtnl.Listen(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_NETCONF)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	play()
	if got, err := events.Pending(); err != nil || len(got) != 0 {
		t.Errorf("%d notifications, %v; first %+v", len(got), err, got)
	}
}
