package linux

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/modulestest"
)

// TestWireGuardRequests reads what is written: requests and replies are of the same attributes. Peers that are too many for one
// attribute, and networks of one peer, come in several requests.
func TestWireGuardRequests(t *testing.T) {
	key := func(i int) string {
		return base64.StdEncoding.EncodeToString(append(make([]byte, 30), byte(i>>8), byte(i)+1))
	}
	want := host.WireGuard{ListenPort: 51820, FwMark: 1 << 20, PrivateKey: host.SecretDigest(append(make([]byte, 31), 7))}
	c := host.WireGuardChange{ListenPort: &want.ListenPort, FwMark: &want.FwMark, PrivateKey: ptr(base64.StdEncoding.EncodeToString(append(make([]byte, 31), 7)))}
	for i := range 200 {
		p := host.WireGuardPeer{PublicKey: key(i), Endpoint: "192.0.2.1:51820", PersistentKeepalive: i}
		if i%2 == 0 {
			p.Endpoint, p.PresharedKey = "[2001:db8::1]:7", key(300)
		}
		for j := range i { // peer 0 has none
			p.AllowedIPs = append(p.AllowedIPs, fmt.Sprintf("fd00:%x:1%03x::/48", i+1, j))
		}
		c.Peers = append(c.Peers, p)
		p.PresharedKey = host.PresharedKeyDigest(p.PresharedKey)
		want.Peers = append(want.Peers, p)
	}
	slices.SortFunc(want.Peers, func(a, b host.WireGuardPeer) int { return strings.Compare(a.PublicKey, b.PublicKey) })
	ms, err := encodeWireGuard("wg0", c)
	if err != nil {
		t.Fatal(err)
	}
	var replies []rtnl.Reply
	for _, m := range ms {
		if len(m.Bytes()) > 60<<10 {
			t.Errorf("a request of %d bytes", len(m.Bytes()))
		}
		replies = append(replies, rtnl.Reply{Data: m.Bytes()})
	}
	if got := decodeWireGuard(replies); len(ms) < 10 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d requests say\n%v\nwant\n%v", len(ms), got, want)
	}
}

// FuzzWireGuardDecode: whatever comes, it does not panic.
func FuzzWireGuardDecode(f *testing.F) {
	ms, err := encodeWireGuard("wg0", host.WireGuardChange{Peers: []host.WireGuardPeer{{PublicKey: "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", Endpoint: "10.0.0.1:1", AllowedIPs: []string{"10.0.0.0/8"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ms[0].Bytes())
	f.Fuzz(func(t *testing.T, b []byte) { decodeWireGuard([]rtnl.Reply{{Data: b}}) })
}

// TestWireGuardTunnel sends packets from one namespace to another through a tunnel that the modules have made.
func TestWireGuardTunnel(t *testing.T) {
	needKind(t, "wireguard")
	h := freshHost(t)
	apply := func(module, params string) modules.Result {
		t.Helper()
		m, err := modules.Default.Lookup(module)
		if err != nil {
			t.Fatal(err)
		}
		res, err := m.Apply(ctxOf(t), h, modulestest.State(module, params))
		if err != nil {
			t.Fatalf("%s %s: %v", module, params, err)
		}
		return res
	}
	var public [3]string
	for i := 1; i <= 2; i++ {
		apply("netns", fmt.Sprintf(`{"name":"t%d"}`, i))
		private := base64.StdEncoding.EncodeToString(append(make([]byte, 31), byte(i)))
		res := apply("wireguard", fmt.Sprintf(`{"name":"wg0","netns":"t%d","private_key":%q,"listen_port":51820}`, i, private))
		var state struct {
			PublicKey string `json:"public_key"`
		}
		if err := json.Unmarshal(res.State, &state); err != nil || state.PublicKey == "" {
			t.Fatalf("%s: %v", res.State, err)
		}
		public[i] = state.PublicKey
	}
	apply("veth", `{"name":"v","netns":"t1","peer":"v","peer_netns":"t2"}`)
	for i, other := range []int{2, 1} {
		i++
		apply("address", fmt.Sprintf(`{"dev":"v","netns":"t%d","cidr":["192.0.2.%d/24"]}`, i, i))
		apply("address", fmt.Sprintf(`{"dev":"wg0","netns":"t%d","cidr":["10.9.0.%d/24"]}`, i, i))
		apply("wireguard", fmt.Sprintf(`{"name":"wg0","netns":"t%d","peer":[{"public_key":%q,"endpoint":"192.0.2.%d:51820","allowed_ips":["10.9.0.%d"]}]}`, i, public[other], other, other))
	}
	apply("ping", `{"address":"10.9.0.2","netns":"t1"}`)
}
