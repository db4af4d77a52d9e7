package modulestest

import (
	"context"
	"encoding/json"
	"strings"

	"labctl/modules/host"
)

// wireguardSuite: A and B are private keys, P and Q those of peers, S is shared. B is not as the kernel keeps it.
func wireguardSuite() Suite {
	keys := strings.NewReplacer("@A@", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "@B@", "//////////////////////////////////////////8=", "@P@", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
		"@Q@", "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=", "@S@", "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=", "@Z@", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	with := func(params string) string { return keys.Replace(`{"name":"wg0",` + params + `}`) }
	bad := func(peer string) string { return with(`"peer":[` + peer + `]`) }
	var many []string
	for i := range 40 {
		many = append(many, host.MAC([]byte{byte(i + 16)}))
	}
	for i, m := range many {
		many[i] = `"fd00:` + m + `::/32"`
	}
	return Suite{Module: "wireguard", Needs: []string{"wireguard"}, Compare: compareWireGuard, States: append(states("wireguard",
		`{"name":"wg0"}`, with(`"private_key":"@A@","listen_port":51820`), with(`"private_key":"@B@","listen_port":51821,"fwmark":51,"mtu":1400`),
		with(`"private_key":"@A@","up":false,"peer":[{"public_key":"@P@","preshared_key":"@S@","endpoint":"192.0.2.1:51820","allowed_ips":["10.9.0.2","fd00:9::1/64"],"persistent_keepalive":25},{"public_key":"@Q@"}]`),
		with(`"peer":[{"public_key":"@Q@","endpoint":"[2001:db8::1]:7","allowed_ips":["10.9.0.2/32","0.0.0.0/0","::/0"]},{"public_key":"@P@","allowed_ips":[]}]`),
		with(`"fwmark":0,"peer":[{"public_key":"@Q@","preshared_key":"@Z@","allowed_ips":[`+strings.Join(many, ",")+`]}]`), with(`"peer":[]`)), Absent("wireguard", `{"name":"wg0"}`)),
		Rejects: []Reject{{with(`"private_key":"abc"`), "private_key"}, {with(`"private_key":"@A@","private_key_file":"/k"`), "private_key_file"}, {with(`"private_key_file":"k"`), "private_key_file"},
			{with(`"listen_port":0`), "listen_port"}, {with(`"fwmark":-1`), "fwmark"}, {bad(`{}`), "peer[0].public_key"}, {bad(`{"public_key":"P"}`), "peer[0].public_key"},
			{bad(`{"public_key":"@P@"},{"public_key":"@P@"}`), "peer[1].public_key"}, {bad(`{"public_key":"@P@","preshared_key":"x"}`), "peer[0].preshared_key"},
			{bad(`{"public_key":"@P@","endpoint":"vpn.example:51820"}`), "peer[0].endpoint"}, {bad(`{"public_key":"@P@","endpoint":"192.0.2.1:0"}`), "peer[0].endpoint"},
			{bad(`{"public_key":"@P@","persistent_keepalive":70000}`), "peer[0].persistent_keepalive"}, {bad(`{"public_key":"@P@","allowed_ips":["10.0.0.1/33"]}`), "peer[0].allowed_ips[0]"},
			{bad(`{"public_key":"@P@","allowed_ips":["10.0.0.0/8"]},{"public_key":"@Q@","allowed_ips":["10.1.0.0/8"]}`), "peer[1].allowed_ips[0]"}}}
}

// compareWireGuard compares all but what the kernel makes up.
func compareWireGuard(ctx context.Context, model, real host.Host) string {
	var texts [2]string
	for i, h := range []host.Host{model, real} {
		n, err := h.Net(ctx, "")
		if err != nil {
			return err.Error()
		}
		if links, err := n.Links().List(ctx); err != nil || len(links) < 2 {
			continue
		}
		wg, err := n.WireGuards().Get(ctx, "wg0")
		if err != nil {
			return err.Error()
		}
		wg.PublicKey, wg.ListenPort = "", 0
		b, _ := json.Marshal(wg) // plain data
		texts[i] = string(b)
	}
	if texts[0] == texts[1] {
		return ""
	}
	return "the model: " + texts[0] + "\nthe host:  " + texts[1]
}
