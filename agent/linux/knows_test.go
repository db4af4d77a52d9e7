package linux

import (
	"context"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"
)

// TestRefusalsOnKernel makes sure that a plan fails where the play would.
func TestRefusalsOnKernel(t *testing.T) {
	for _, r := range modulestest.Refusals() {
		t.Run("refusal of "+r.Call.Module+" "+string(r.Call.Params), func(t *testing.T) {
			for _, kind := range r.Needs {
				needKind(t, kind)
			}
			r.Try(t, onKernel(t))
		})
	}
}

// TestPlanKnowsTheKinds: a kind of device or of queueing discipline that the kernel does not know is refused in a plan, in the
// same words, and what it knows is not. Nothing is changed by asking.
func TestPlanKnowsTheKinds(t *testing.T) {
	h := freshHost(t)
	for kind := range modular {
		l := host.Link{Name: "kind0", Kind: kind}
		do := func(n host.Net) error { return n.Links().Create(t.Context(), l) }
		switch kind {
		case "vlan_filtering", "systemd", "vlan", "ipvlan", "vrf", "geneve": // no kind, or one that needs more
			continue
		case "qdisc netem", "qdisc fq_codel":
			q := host.Qdisc{Link: "lo", Parent: "root", Kind: kind[len("qdisc "):]}
			do = func(n host.Net) error {
				_ = n.Qdiscs().Delete(t.Context(), q)
				return n.Qdiscs().Set(t.Context(), q)
			}
		case "gre", "gretap", "ipip", "sit":
			l.Data = host.Attrs{"remote": "192.0.2.1"}
		case "ip6gre", "ip6gretap":
			l.Data = host.Attrs{"remote": "fd00::1"}
		}
		writes := h.Writes()
		planned := do(modelNet(t, h))
		if h.Writes() != writes {
			t.Errorf("%s: the plan has written", kind)
		}
		err := do(mustNet(t, h, ""))
		if (planned == nil) != (err == nil) || err != nil && planned.Error() != err.Error() {
			t.Errorf("%s: planned %v, played %v", kind, planned, err)
		}
		if err == nil && l.Kind[0] != 'q' {
			_ = mustNet(t, h, "").Links().Delete(context.Background(), l.Name)
		}
	}
}

func modelNet(t *testing.T, h *Host) host.Net {
	t.Helper()
	n, err := memory.New(h).Net(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return n
}
