package modulestest

import (
	"errors"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// overSSH is a host whose session came in on an address.
type overSSH struct{ *memory.Host }

func (overSSH) SessionIP() string { return "192.0.2.1" }

// Whatever would take the device of the session away is refused, and nothing else.
func TestTheSessionIsKept(t *testing.T) {
	for call, refused := range map[string]bool{
		`link {"name":"v","up":false}`: true, `link {"name":"v","master":"br0"}`: true, `veth {"name":"v","peer":"vp","up":false}`: true,
		`veth {"name":"v","peer":"vp","master":"br0"}`: true, `bridge {"name":"br0","ports":["v"]}`: true, `bridge {"name":"br1","ports":["v"]}`: true,
		`bond {"name":"bo","ports":["v"]}`: true, `vrf {"name":"red","table":5,"ports":["v"]}`: true, `veth {"name":"v","peer":"vp","up":true,"mtu":1400}`: false,
		`bridge {"name":"br0","ports":["w"]}`: false, `link {"name":"w","up":false}`: false,
	} {
		h := overSSH{memory.FromSnapshot(&host.Snapshot{})}
		if err := setups(wires("v", "w"), bridge("br0"), addresses("v", "192.0.2.1/24"))(t.Context(), h, ""); err != nil {
			t.Fatal(err)
		}
		module, params, _ := strings.Cut(call, " ")
		_, err := modules.Default[module].Apply(t.Context(), h, State(module, params))
		if errors.Is(err, host.ErrRefused) != refused || err != nil && !refused {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// A device that a bond does not take is as it was.
func TestRefusedPortComesUpAgain(t *testing.T) {
	h := memory.FromSnapshot(&host.Snapshot{})
	if err := setups(wires("v"), made(host.Link{Name: "mv", Kind: "macvlan", Parent: &host.LinkRef{Name: "v"}}))(t.Context(), h, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := modules.Default["bond"].Apply(t.Context(), h, State("bond", `{"name":"bo","ports":["v"]}`)); err == nil {
		t.Fatal("a device that carries a macvlan became a port")
	}
	n, _ := h.Net(t.Context(), "")
	if l, err := n.Links().Get(t.Context(), "v"); err != nil || !*l.Up {
		t.Errorf("%v %v", l.Up, err)
	}
}
