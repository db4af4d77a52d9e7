package inventory

import (
	"fmt"
	"strings"
	"testing"
)

const tunnelsOf = `
ssh { user = "vagrant" }
tunnel "a" {
  host   = "bastion"
  to     = "192.168.178.3"
  listen = 8222
}
tunnel "b" {
  host   = "vagrant@203.0.113.9:2200"
  to     = "[2001:db8::5]:2222"
  listen = "127.0.0.2:8222"
}
tunnel "c" {
  host   = "a"
  to     = "10.0.0.9:22"
  listen = "127.0.0.1:8223"
}
host "gate" { address = "203.0.113.6" }
host "bastion" {
  address = "203.0.113.7"
  jump    = ["gate"]
}
host "a" {
  address = "127.0.0.1"
  port    = 8222
}
host "a2" {
  address = "localhost"
  port    = 8222
}
host "b" {
  address = "127.0.0.2"
  port    = 8222
}
host "c" {
  address = "127.0.0.1"
  port    = 8223
}
host "through" {
  address = "127.0.0.1"
  port    = 8222
  jump    = ["a", "b"]
}
host "elsewhere" {
  address = "127.0.0.1"
  port    = 8224
}
host "by" {
  address       = "127.0.0.1"
  port          = 8222
  proxy_command = "nc %h %p"
}
host "local" {
  address    = "127.0.0.1"
  port       = 8222
  connection = "local"
}
`

func TestTunnels(t *testing.T) {
	inv := good(t, tunnelsOf)
	for name, want := range map[string]string{
		"a":         "203.0.113.6:0 203.0.113.7:0 > 192.168.178.3:22",
		"a2":        "203.0.113.6:0 203.0.113.7:0 > 192.168.178.3:22",
		"b":         "203.0.113.9:2200 > [2001:db8::5]:2222",
		"c":         "203.0.113.6:0 203.0.113.7:0 192.168.178.3:22 > 10.0.0.9:22",
		"through":   "203.0.113.6:0 203.0.113.7:0 192.168.178.3:22 127.0.0.2:8222 > 127.0.0.1:8222",
		"elsewhere": " > 127.0.0.1:8224",
		"by":        " > 127.0.0.1:8222",
		"local":     " > 127.0.0.1:8222",
	} {
		h := inv.Host(name)
		hops, err := inv.Chain(h)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, hop := range hops {
			got = append(got, hop.String())
		}
		address, port := inv.Place(h)
		if got := strings.Join(got, " ") + " > " + (Hop{Address: address, Port: port}).String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := fmt.Sprint(inv.Behind(inv.Host("bastion"))); got != "[a a2 c through]" {
		t.Errorf("behind the bastion: %s", got)
	}
	var said []string
	for _, s := range inv.ExplainSSH(inv.Host("b")) {
		if s.Name == "tunnel" {
			said = append(said, fmt.Sprint(s.Value, ", ", s.From, ", ", s.Range.Start.Line, " ", s.Wins))
		}
	}
	if got := strings.Join(said, ";"); got != "[2001:db8::5]:2222 through vagrant@203.0.113.9:2200, tunnel b, 8 true" {
		t.Errorf("explained: %s", got)
	}
}

func TestTunnelFaults(t *testing.T) {
	const bastion = "host \"bastion\" {}\n"
	tunnel := func(name, host, to, listen string) string {
		return fmt.Sprintf("tunnel %q {\n host = %q\n to = %q\n listen = %q\n}\n", name, host, to, listen)
	}
	for text, want := range map[string]string{
		tunnel("x", "bastoin", "10.0.0.5:22", "127.0.0.1:2222"):                         `2: Wrong tunnel: No host "bastoin" is declared`,
		tunnel("x", "bastion", "10.0.0.5:0", "2222"):                                    `3: Wrong address: "10.0.0.5:0" is not host:port`,
		tunnel("x", "bastion", "root@10.0.0.5", "2222"):                                 `3: Wrong address: "root@10.0.0.5" is not host:port`,
		tunnel("x", "bastion", "10.0.0.5", "0.0.0.0:2222"):                              `4: Wrong address: "0.0.0.0:2222" is not a port, or 127.0.0.1:port`,
		tunnel("x", "bastion", "10.0.0.5", "127.0.0.1"):                                 `4: Wrong address: "127.0.0.1" is not a port`,
		tunnel("x", "bastion", "10.0.0.5", "70000"):                                     `4: Wrong address: "70000" is not a port`,
		tunnel("x", "bastion", "a", "2222") + tunnel("y", "bastion", "b", "[::1]:2222"): `9: Duplicate tunnel: Tunnel "x" listens on [::1]:2222 already, at /lab/site.hcl:1`,
		tunnel("x", "bastion", "a", "2222") + tunnel("x", "bastion", "b", "2223"):       `6: Duplicate tunnel: A tunnel "x" was declared already at /lab/site.hcl:1`,
		"tunnel \"x\" {}\n": `1: Missing required argument: The argument "host" is required, but no definition was found.`,
		tunnel("x", "a", "10.0.0.5", "2222") + "host \"a\" {\n address = \"127.0.0.1\"\n port = 2222\n}\n":                                   `2: Wrong tunnel: Jump loop: a -> a`,
		tunnel("x", "a", "10.0.0.5", "2222") + "host \"a\" {\n jump = [\"b\"]\n}\nhost \"b\" {\n address = \"127.0.0.1\"\n port = 2222\n}\n": `2: Wrong tunnel: Jump loop: a -> b -> a`,
	} {
		_, diags := decode(t, text+bastion)
		var all []string
		for _, d := range diags {
			all = append(all, fmt.Sprintf("%d: %s: %s", d.Subject.Start.Line, d.Summary, d.Detail))
		}
		if len(all) == 0 || !strings.HasPrefix(all[0], want) {
			t.Errorf("%s\n%q, want %q", text, all, want)
		}
	}
}
