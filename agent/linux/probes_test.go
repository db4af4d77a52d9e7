package linux

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/modules/host"
)

// lab is three namespaces in a row: this test's own (10.0.1.1), router (10.0.1.254, 10.0.2.254) and far (10.0.2.2), the same
// in fd00:1::/64 and fd00:2::/64. The router refuses 10.3.0.0/16, prohibits 10.4.0.0/16, swallows 10.5.0.0/16.
const lab = `
for n in /proc/self/ns/net ROUTER FAR; do nsenter --net=$n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'; done
ip link add va type veth peer name r1 netns ROUTER
nsenter --net=ROUTER ip link add r2 type veth peer name vb netns FAR
ip link set lo up; ip link set va up; ip addr add 10.0.1.1/24 dev va; ip addr add fd00:1::1/64 dev va nodad
for n in r1:10.0.1.254/24:fd00:1:0:0:0:0:0:fe/64 r2:10.0.2.254/24:fd00:2:0:0:0:0:0:fe/64; do
	dev=${n%%:*}; rest=${n#*:}
	nsenter --net=ROUTER ip link set $dev up
	nsenter --net=ROUTER ip addr add ${rest%%:*} dev $dev
	nsenter --net=ROUTER ip addr add ${rest#*:} dev $dev nodad
done
nsenter --net=FAR ip link set lo up; nsenter --net=FAR ip link set vb up; nsenter --net=FAR ip addr add 10.0.2.2/24 dev vb; nsenter --net=FAR ip addr add fd00:2::2/64 dev vb nodad
nsenter --net=FAR ip route add default via 10.0.2.254; nsenter --net=FAR ip -6 route add default via fd00:2::fe
ip route add 10.0.2.0/24 via 10.0.1.254; ip -6 route add fd00:2::/64 via fd00:1::fe
for n in 3 4 5; do ip route add 10.$n.0.0/16 via 10.0.1.254; done; ip -6 route add fd00:3::/64 via fd00:1::fe
ip route add blackhole 10.6.0.0/16; ip route add prohibit 10.7.0.0/16; ip route add unreachable 10.8.0.0/16
nsenter --net=ROUTER ip route add unreachable 10.3.0.0/16; nsenter --net=ROUTER ip route add prohibit 10.4.0.0/16; nsenter --net=ROUTER ip route add blackhole 10.5.0.0/16
`

func freshLab(t *testing.T) *Host {
	h := freshHost(t)
	script := lab
	for _, name := range []string{"router", "far"} {
		if err := h.NetNS().Create(ctxOf(t), name); err != nil {
			t.Fatal(err)
		}
		script = strings.ReplaceAll(script, strings.ToUpper(name), filepath.Join(h.dir, name))
	}
	r, err := h.Commands().Run(ctxOf(t), host.Exec{Argv: []string{"sh", "-exc", script}})
	if err == nil && r.Status == 0 {
		r, err = h.Commands().Run(ctxOf(t), host.Exec{Argv: []string{"sh", "-ec",
			"echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"}, NetNS: "router"})
	}
	for _, ref := range []string{"", "router", "far"} { // link-local addresses are of use after duplicate address detection only
		if err == nil && r.Status == 0 {
			r, err = h.Commands().Run(ctxOf(t), host.Exec{Argv: []string{"sh", "-ec",
				"for i in $(seq 100); do ip -6 addr show tentative | grep -q . || exit 0; sleep 0.05; done; exit 1"}, NetNS: ref})
		}
	}
	if err != nil || r.Status != 0 {
		t.Fatalf("set up lab: %s, %v", r.Stderr, err)
	}
	return h
}

func TestPingTellsApart(t *testing.T) {
	n := mustNet(t, freshLab(t), "")
	for _, tt := range []struct {
		address, unreachable string
		received             int
		options              host.PingOptions
	}{
		{address: "10.0.2.2", received: 3, options: host.PingOptions{Count: 3, Interval: 10 * time.Millisecond}},
		{address: "10.0.1.1", received: 1},
		{address: "127.0.0.1", received: 1, options: host.PingOptions{Size: 56}},
		{address: "fd00:2::2", received: 1, options: host.PingOptions{Size: 1000}},
		{address: "::1", received: 1},
		{address: "10.0.2.2", received: 1, options: host.PingOptions{Source: "10.0.1.1"}},
		{address: "10.0.2.2", received: 1, options: host.PingOptions{Source: "va"}},
		{address: "10.0.2.2", received: 1, options: host.PingOptions{Size: 1472, DF: true}},
		{address: "10.0.2.2", received: 1, options: host.PingOptions{Size: 3000}},
		{address: "10.0.2.2", unreachable: "packet is too big (mtu 1500)", options: host.PingOptions{Size: 1473, DF: true}},
		{address: "fd00:2::2", unreachable: "packet is too big (mtu 1500)", options: host.PingOptions{Size: 1473, DF: true}},
		{address: "10.9.9.9", unreachable: "network is unreachable (no route)"},
		{address: "fd00:9::9", unreachable: "network is unreachable (no route)"},
		{address: "10.3.0.1", unreachable: "host unreachable from 10.0.1.254"},
		{address: "fd00:3::1", unreachable: "no route from fd00:1::fe"},
		{address: "10.4.0.1", unreachable: "administratively prohibited from 10.0.1.254"},
		{address: "10.5.0.1"},
		{address: "10.6.0.1", unreachable: "discarded by a route of this host (blackhole)"},
		{address: "10.7.0.1", unreachable: "prohibited by a route of this host"},
		{address: "10.8.0.1", unreachable: "host is unreachable"},
		{address: "10.0.1.77", unreachable: "host unreachable from 10.0.1.1", options: host.PingOptions{Timeout: 5 * time.Second}}, // ARP
		{address: "fd00:1::77", unreachable: "address unreachable from fd00:1::1", options: host.PingOptions{Timeout: 5 * time.Second}},
	} {
		if tt.options.Timeout == 0 {
			tt.options.Timeout = 500 * time.Millisecond
		}
		r, err := n.Probes().Ping(ctxOf(t), tt.address, tt.options)
		if err != nil || r.Received != tt.received || r.Unreachable != tt.unreachable || (r.RTT > 0) != (tt.received > 0) {
			t.Errorf("ping %s %+v: %+v, %v", tt.address, tt.options, r, err)
		}
	}
	if _, err := n.Probes().Ping(ctxOf(t), "10.0.2.2", host.PingOptions{Source: "10.99.0.1"}); err == nil || !strings.Contains(err.Error(), "source 10.99.0.1") {
		t.Errorf("foreign source: %v", err)
	}
}

func TestPingFromAnotherNamespace(t *testing.T) {
	h := freshLab(t)
	r, err := mustNet(t, h, "far").Probes().Ping(ctxOf(t), "10.0.1.1", host.PingOptions{})
	if err != nil || r.Received != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	link, err := h.Commands().Run(ctxOf(t), host.Exec{Argv: []string{"sh", "-c", "ip -6 -o addr show dev vb scope link | awk '{print $4}' | cut -d/ -f1"}, NetNS: "far"})
	if err != nil {
		t.Fatal(err)
	}
	r, err = mustNet(t, h, "far").Probes().Ping(ctxOf(t), strings.TrimSpace(string(link.Stdout))+"%vb", host.PingOptions{})
	if err != nil || r.Received != 1 {
		t.Errorf("link-local %s: %+v, %v", link.Stdout, r, err)
	}
}

func TestPingStopsWithContext(t *testing.T) {
	n := mustNet(t, freshLab(t), "")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := n.Probes().Ping(ctx, "10.5.0.1", host.PingOptions{Count: 10})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

// listen serves every connection to address in namespace ref with serve.
func listen(t *testing.T, h *Host, ref, address string, serve func(net.Conn)) {
	t.Helper()
	n, err := h.net(ref)
	if err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	if err := h.inNetNS(n.fd, func() (err error) { l, err = net.Listen("tcp", address); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
}

func TestTCP(t *testing.T) {
	h := freshLab(t)
	listen(t, h, "far", ":80", func(net.Conn) {})
	p := mustNet(t, h, "").Probes()
	for address, want := range map[string]error{
		"10.0.2.2:80": nil, "[fd00:2::2]:80": nil, "10.0.2.2:81": host.ErrRefused, "[fd00:2::2]:81": host.ErrRefused,
		"10.5.0.1:80": host.ErrTimeout, "10.9.9.9:80": host.ErrUnreachable, "10.3.0.1:80": host.ErrUnreachable,
		"10.6.0.1:80": host.ErrUnreachable, "10.7.0.1:80": host.ErrUnreachable,
	} {
		if err := p.TCP(ctxOf(t), address, host.PingOptions{Timeout: 400 * time.Millisecond}); !errors.Is(err, want) {
			t.Errorf("%s: %v, not %v", address, err, want)
		}
	}
	for _, address := range []string{"10.0.2.2", "10.0.2.2:x", "fd00::1:80", ":80", "10.0.2.2:70000"} {
		if err := p.TCP(ctxOf(t), address, host.PingOptions{Timeout: time.Second}); err == nil {
			t.Errorf("%q passes for an address", address)
		}
	}
	if err := p.TCP(ctxOf(t), "localhost:9", host.PingOptions{Timeout: time.Second}); !errors.Is(err, host.ErrRefused) {
		t.Errorf("by name: %v", err)
	}
}

func TestHTTP(t *testing.T) {
	h := freshLab(t)
	answers := map[string]string{
		"/":        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and what is not part of it",
		"/close":   "HTTP/1.0 404 Not Found\r\n\r\nuntil the end",
		"/chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
		"/early":   "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"/large":   "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 100_000),
		"/short":   "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
		"/ssh":     "SSH-2.0-OpenSSH_9.2\r\n",
		"/nothing": "",
		"/q?a=b":   "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
	}
	listen(t, h, "far", ":8080", func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		path := strings.Fields(line)[1]
		if path == "/hang" {
			c.SetReadDeadline(time.Now().Add(time.Second))
			io.Copy(io.Discard, c)
			return
		}
		io.WriteString(c, answers[path])
	})
	p := mustNet(t, h, "").Probes()
	for _, tt := range []struct {
		path   string
		status int
		body   string
		err    string
	}{
		{"/", 200, "hello", ""}, {"", 200, "hello", ""}, {"/close", 404, "until the end", ""}, {"/chunked", 200, "hello world", ""},
		{"/early", 204, "", ""}, {"/large", 200, strings.Repeat("x", 64<<10), ""}, {"/short", 200, "hello", "unexpected EOF"},
		{"/ssh", 0, "", `"SSH-2.0-OpenSSH_9.2" is not HTTP`}, {"/nothing", 0, "", "closed without an answer"},
		{"/q?a=b", 302, "", ""}, {"/hang", 0, "", "timed out"},
	} {
		status, body, err := p.HTTP(ctxOf(t), "http://10.0.2.2:8080"+tt.path, 500*time.Millisecond)
		if status != tt.status || string(body) != tt.body || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %d %.40q %v", tt.path, status, body, err)
		}
	}
	if _, _, err := p.HTTP(ctxOf(t), "http://10.9.9.9/", time.Second); !errors.Is(err, host.ErrUnreachable) {
		t.Errorf("no route: %v", err)
	}
	if _, _, err := p.HTTP(ctxOf(t), "https://10.0.2.2/", time.Second); err == nil || !strings.Contains(err.Error(), "only http://") {
		t.Errorf("https: %v", err)
	}
}
