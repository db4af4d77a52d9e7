package linux

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"
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
