package linux

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"labctl/modules/host"
	ipt "labctl/modules/iptables"
)

// randomRule combines arguments at random; some combinations are refused.
func randomRule(rnd *rand.Rand, f host.Family) ipt.Rule {
	maybe := func(values ...string) string {
		if rnd.IntN(3) > 0 {
			return ""
		}
		not := ""
		if rnd.IntN(4) == 0 {
			not = "! "
		}
		return not + values[rnd.IntN(len(values))]
	}
	addr := func() string {
		if f == host.IPv6 {
			return maybe(fmt.Sprintf("fd00:%x::%x/%d", rnd.IntN(65536), rnd.IntN(65536), rnd.IntN(129)), fmt.Sprintf("%x::%x", rnd.IntN(65536), rnd.IntN(2)), "::")
		}
		return maybe(fmt.Sprintf("%d.%d.0.%d/%d", rnd.IntN(256), rnd.IntN(256), rnd.IntN(256), rnd.IntN(33)), fmt.Sprintf("10.0.0.%d", rnd.IntN(256)))
	}
	port := func() string {
		a, b := rnd.IntN(65536), rnd.IntN(65536)
		return maybe(fmt.Sprint(a), fmt.Sprintf("%d:%d", min(a, b), max(a, b)), "1024:", ":1023")
	}
	r := ipt.Rule{
		Source: addr(), Destination: addr(), InInterface: maybe("eth0", "veth+", "a.b-c_d"), OutInterface: maybe("eth1", "x"),
		Protocol: maybe("tcp", "udp", "tcp", "sctp", "esp", "ah", "6", "17", "58"), Mark: maybe("1", "0x10/0xff", fmt.Sprint(rnd.Uint32())),
		MACSource: maybe("aa:bb:cc:dd:ee:ff"), Comment: maybe("a", "b c", `q"'\`), ConnMark: maybe("7/7"),
		Jump: []string{"ACCEPT", "DROP", "RETURN", "LOG", "REJECT", "MY-CHAIN"}[rnd.IntN(6)],
	}
	if rnd.IntN(3) == 0 {
		r.SourcePort, r.DestinationPort = port(), port()
	}
	if rnd.IntN(4) == 0 {
		r.DestinationPorts = []string{fmt.Sprint(rnd.IntN(65536)), fmt.Sprint(rnd.IntN(65536))}
	}
	if rnd.IntN(3) == 0 {
		r.CTState = []string{[]string{"NEW", "! INVALID"}[rnd.IntN(2)], "RELATED"}
	}
	if rnd.IntN(4) == 0 {
		r.Limit = fmt.Sprintf("%d/%s", 1+rnd.IntN(400), []string{"s", "min", "hour"}[rnd.IntN(3)])
		r.LimitBurst = num(1 + rnd.IntN(9))
	}
	if r.Jump == "LOG" {
		r.LogPrefix, r.LogLevel = "p: ", fmt.Sprint(rnd.IntN(8))
	}
	return r
}

func TestRandomRules(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 2))
		var texts []host.ChainRule
		for len(texts) < 400 {
			r := randomRule(rnd, f)
			lines, err := r.Lines(ipt.Place{Family: f, Table: "filter", Chain: "FORWARD"})
			if err != nil {
				continue
			}
			texts = append(texts, host.ChainRule{Table: "filter", Chain: "FORWARD", Rule: lines[0]})
		}
		forms, err := x.(*iptables).inScratch(ctxOf(t), texts, nil)
		if err != nil {
			t.Fatal(err)
		}
		short, err := x.Canonical(ctxOf(t), texts) // by shapes
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range texts {
			if !slices.Equal(forms[i], []string{r.Rule}) {
				t.Errorf("made  %s\nsaved %q", r.Rule, forms[i])
			}
			if !slices.Equal(forms[i], short[i]) {
				t.Errorf("%s: by its shape %q, by the tool %q", r.Rule, short[i], forms[i])
			}
		}
	})
}
