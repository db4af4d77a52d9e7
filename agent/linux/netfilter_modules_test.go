package linux

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

func call(module string, absent bool, params string) modules.Call {
	return modules.Call{Module: module, Params: json.RawMessage(params), Absent: absent}
}

func apply(t testing.TB, h host.Host, c modules.Call) modules.Result {
	t.Helper()
	r, err := tryApply(t, h, c)
	if err != nil {
		t.Fatalf("%s %s: %v", c.Module, c.Params, err)
	}
	return r
}

func tryApply(t testing.TB, h host.Host, c modules.Call) (modules.Result, error) {
	t.Helper()
	m, err := modules.Default.Lookup(c.Module)
	if err != nil {
		t.Fatal(err)
	}
	return m.Apply(ctxOf(t), h, c)
}

// batch applies calls as the agent does: to a copy, then all at once.
func batch(t testing.TB, h *Host, calls []modules.Call) (changed int) {
	t.Helper()
	tx := memory.New(h)
	byModule := map[string][]modules.Call{}
	for _, c := range calls {
		byModule[c.Module] = append(byModule[c.Module], c)
	}
	for name, cs := range byModule {
		m, _ := modules.Default.Lookup(name)
		if err := m.Prepare(ctxOf(t), tx, cs); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range calls {
		if apply(t, tx, c).Diff.Action != modules.None {
			changed++
		}
	}
	if err := tx.Commit(ctxOf(t)); err != nil {
		t.Fatal(err)
	}
	return changed
}

// walk plans and applies calls in random order: what is planned in memory is what happens, and nothing is left to do then.
func walk(t *testing.T, h *Host, calls []modules.Call, steps int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for i := range steps {
		c := calls[rnd.IntN(len(calls))]
		planned, planErr := tryApply(t, memory.New(h), c)
		done, err := tryApply(t, h, c)
		if (planErr == nil) != (err == nil) {
			t.Fatalf("step %d: %s %s: planned %v, applied %v", i, c.Module, c.Params, planErr, err)
		}
		if !reflect.DeepEqual(planned.Diff, done.Diff) {
			t.Fatalf("step %d: %s %s:\nplanned %+v\napplied %+v", i, c.Module, c.Params, planned.Diff, done.Diff)
		}
		if err != nil {
			continue
		}
		if again := apply(t, h, c); again.Diff.Action != modules.None {
			t.Fatalf("step %d: %s %s again: %+v", i, c.Module, c.Params, again.Diff)
		}
	}
}

func TestModulesWalk(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		common := fmt.Sprintf(`"family":%q,"backend":%q`, f, x.Backend())
		var calls []modules.Call
		for _, rule := range []string{
			`"chain":"FORWARD","in_interface":"a","jump":"ACCEPT"`,
			`"chain":"FORWARD","in_interface":"a","jump":"ACCEPT","position":"first"`,
			`"chain":"FORWARD","in_interface":"b","jump":"DROP","position":"last"`,
			`"chain":"FORWARD","in_interface":"b","jump":"DROP","position":"2"`,
			`"chain":"FORWARD","in_interface":"c","jump":"DROP","position":"insert"`,
			`"chain":"FORWARD","jump":"USER"`,
			`"chain":"USER","jump":"RETURN","position":"1"`,
			`"chain":"FORWARD","ctstate":["RELATED","ESTABLISHED"],"jump":"ACCEPT","arguments":["-m","statistic","--mode","random","--probability","0.1"]`,
			`"chain":"FORWARD","jump":"LOG","log_prefix":"x: ","log_level":"info"`,
		} {
			for _, absent := range []bool{false, true} {
				calls = append(calls, call("iptables_rule", absent, "{"+common+","+rule+"}"))
			}
		}
		for _, chain := range []string{
			`"chain":"FORWARD","policy":"DROP"`,
			`"chain":"FORWARD","policy":"ACCEPT"`,
			`"chain":"FORWARD","exclusive":true`,
			`"chain":"FORWARD","exclusive":true,"rule":[{"in_interface":"b","jump":"DROP"},{"in_interface":"a","jump":"ACCEPT"},{"in_interface":"b","jump":"DROP"}]`,
			`"chain":"FORWARD","rule":[{"in_interface":"c","jump":"DROP"},{"in_interface":"d","jump":"DROP"},{"in_interface":"a","jump":"ACCEPT"}]`,
			`"chain":"FORWARD","policy":"DROP","rule":[{"in_interface":"a","jump":"ACCEPT"},{"in_interface":"c","jump":"DROP"}]`,
			`"chain":"USER"`,
			`"chain":"USER","rule":[{"protocol":"tcp","destination_port":"80","jump":"ACCEPT"},{"jump":"OTHER"}]`,
			`"chain":"OTHER","exclusive":true,"rule":[{"jump":"DROP"}]`,
			`"chain":"INPUT","table":"nat","policy":"ACCEPT"`,
		} {
			for _, absent := range []bool{false, true} {
				calls = append(calls, call("iptables_chain", absent, "{"+common+","+chain+"}"))
			}
		}
		walk(t, h, calls, 60)
	})
}

// The rules of lab 13, with the output that iptables -S must show.
func TestLab13(t *testing.T) {
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		t.Run(backend, func(t *testing.T) {
			h := netfilterHost(t)
			for _, box := range []string{"boxA", "router", "boxB"} {
				if err := h.NetNS().Create(ctxOf(t), box); err != nil {
					t.Fatal(err)
				}
			}
			var calls []modules.Call
			for _, box := range []string{"boxA", "router", "boxB"} {
				where := fmt.Sprintf(`"netns":%q,"backend":%q`, box, backend)
				rule := func(rest string) { calls = append(calls, call("iptables_rule", false, "{"+where+","+rest+"}")) }
				for _, chain := range []string{"INPUT", "OUTPUT", "PREROUTING", "FORWARD", "POSTROUTING"} {
					for _, table := range map[string][]string{"INPUT": {"mangle", "filter", "nat"}, "OUTPUT": {"raw", "mangle", "nat", "filter"},
						"PREROUTING": {"raw", "mangle", "nat"}, "FORWARD": {"mangle", "filter"}, "POSTROUTING": {"mangle", "nat"}}[chain] {
						rule(fmt.Sprintf(`"chain":%q,"table":%q,"jump":"LOG","log_prefix":"%s:%s:%s:","log_level":"info"`, chain, table, box, chain, table))
						calls = append(calls, call("iptables_chain", false, fmt.Sprintf(`{%s,"chain":%q,"table":%q,"policy":"ACCEPT"}`, where, chain, table)))
					}
				}
				for _, chain := range []string{"OUTPUT", "INPUT"} {
					rule(fmt.Sprintf(`"chain":%q,"table":"mangle","state":["ESTABLISHED"],"jump":"LOG","log_prefix":"%s:OUTPUT:established:","log_level":"info"`, chain, box))
				}
			}
			if len(calls) != 48+42 {
				t.Fatalf("%d calls", len(calls))
			}
			if n := batch(t, h, calls); n != 48 {
				t.Errorf("%d changed, want 48: the policies are ACCEPT already", n)
			}
			if n := batch(t, h, calls); n != 0 {
				t.Errorf("%d changed the second time", n)
			}
			where := fmt.Sprintf(`"netns":"router","backend":%q`, backend)
			more := []modules.Call{
				call("iptables_rule", false, `{`+where+`,"chain":"POSTROUTING","table":"nat","out_interface":"veth2","jump":"SNAT","to_source":"172.16.200.1"}`),
				call("iptables_chain", false, `{`+where+`,"chain":"INPUT","policy":"DROP"}`),
				call("iptables_chain", false, `{`+where+`,"chain":"FORWARD","policy":"DROP","rule":[{"in_interface":"veth1","jump":"ACCEPT"},{"ctstate":["ESTABLISHED","RELATED"],"jump":"ACCEPT"},{"protocol":"tcp","in_interface":"veth2","destination_port":"8800","destination":"172.16.100.5","jump":"ACCEPT"}]}`),
				call("iptables_rule", false, `{`+where+`,"chain":"PREROUTING","table":"nat","protocol":"tcp","in_interface":"veth2","destination_port":"8800","jump":"DNAT","to_destination":"172.16.100.5:8800"}`),
			}
			if n := batch(t, h, more); n != 4 {
				t.Errorf("%d changed, want 4", n)
			}
			if n := batch(t, h, append(calls[1:2:2], more...)); n != 0 {
				t.Errorf("%d changed the second time", n)
			}
			got := listed(t, h, "router", backend, "filter") + listed(t, h, "router", backend, "nat")
			want := `-P INPUT DROP
-P FORWARD DROP
-P OUTPUT ACCEPT
-A INPUT -j LOG --log-prefix "router:INPUT:filter:" --log-level 6
-A FORWARD -j LOG --log-prefix "router:FORWARD:filter:" --log-level 6
-A FORWARD -i veth1 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -d 172.16.100.5/32 -i veth2 -p tcp -m tcp --dport 8800 -j ACCEPT
-A OUTPUT -j LOG --log-prefix "router:OUTPUT:filter:" --log-level 6
-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-A PREROUTING -j LOG --log-prefix "router:PREROUTING:nat:" --log-level 6
-A PREROUTING -i veth2 -p tcp -m tcp --dport 8800 -j DNAT --to-destination 172.16.100.5:8800
-A INPUT -j LOG --log-prefix "router:INPUT:nat:" --log-level 6
-A OUTPUT -j LOG --log-prefix "router:OUTPUT:nat:" --log-level 6
-A POSTROUTING -j LOG --log-prefix "router:POSTROUTING:nat:" --log-level 6
-A POSTROUTING -o veth2 -j SNAT --to-source 172.16.200.1
`
			if got != want {
				t.Errorf("router is\n%swant\n%s", got, want)
			}
			if s := listed(t, h, "boxA", backend, "mangle"); !strings.Contains(s, `-A OUTPUT -m state --state ESTABLISHED -j LOG --log-prefix "boxA:OUTPUT:established:" --log-level 6`) {
				t.Errorf("boxA mangle is\n%s", s)
			}
		})
	}
}

// listed is the output of iptables -S in a namespace.
func listed(t *testing.T, h *Host, netns, backend, table string) (out string) {
	t.Helper()
	n := mustNet(t, h, netns).(*Net)
	if err := h.inNetNS(n.fd, func() (err error) {
		out, err = runTool(ctxOf(t), lookTool("iptables-"+shortBackend[backend]), "", "-t", table, "-S")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLab2(t *testing.T) {
	h := netfilterHost(t)
	batch(t, h, []modules.Call{
		call("iptables_rule", false, `{"chain":"FORWARD","out_interface":"eno1","in_interface":"vboxnet0","source":"192.168.50.0/24","ctstate":["NEW"],"jump":"ACCEPT"}`),
		call("iptables_rule", false, `{"chain":"FORWARD","ctstate":["ESTABLISHED","RELATED"],"jump":"ACCEPT"}`),
		call("iptables_rule", false, `{"chain":"POSTROUTING","table":"nat","out_interface":"eno1","jump":"MASQUERADE"}`),
	})
	got := tool(t, "iptables-nft", "-S") + tool(t, "iptables-nft", "-t", "nat", "-S", "POSTROUTING")
	want := `-P INPUT ACCEPT
-P FORWARD ACCEPT
-P OUTPUT ACCEPT
-A FORWARD -s 192.168.50.0/24 -i vboxnet0 -o eno1 -m conntrack --ctstate NEW -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-P POSTROUTING ACCEPT
-A POSTROUTING -o eno1 -j MASQUERADE
`
	if got != want {
		t.Errorf("have\n%swant\n%s", got, want)
	}
}

// However a rule is spelt, the second run finds it.
func TestSpellingsConverge(t *testing.T) {
	forms := []string{
		`-p tcp --dport http -j ACCEPT`, `-p 6 --syn -j ACCEPT`, `-s 10.0.0.1/255.0.0.0 -j ACCEPT`, `-m limit --limit 60/hour -j ACCEPT`,
		`-m mark --mark 1 -j ACCEPT`, `-j ACCEPT -p udp -i eth0 --dport 5`, `-s 10.0.0.1,10.0.0.2 -j ACCEPT`, `-m statistic --mode random --probability 0.1 -j ACCEPT`,
		`-m time --timestart 10:00 -j ACCEPT`, `-m state --state RELATED,NEW -j ACCEPT`, `-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
		`-p icmp --icmp-type echo-request -j ACCEPT`, `-j LOG --log-prefix x --log-level info`, `-j REJECT`, `-p all -j ACCEPT`, `-s 0/0 -d 10.0.0.1 -j ACCEPT`,
		`-m comment --comment plain -j ACCEPT`, `-p tcp -m multiport --dports http,https -j ACCEPT`, `-p tcp --tcp-flags SYN,ACK,FIN SYN -j ACCEPT`,
		`-m addrtype --dst-type LOCAL,UNICAST -j ACCEPT`, `-m iprange --src-range 10.0.0.1-10.0.0.5 -j ACCEPT`, `-m mac --mac-source AA:BB:CC:00:11:22 -j ACCEPT`,
		`-p tcp --dport 1024: -j ACCEPT`, `-m connmark --mark 7/7 -j ACCEPT`, `-p tcp -m tcp --sport 5:5 -j ACCEPT`, `-m physdev --physdev-in eth0 -j ACCEPT`,
		`! -i eth0 -p tcp ! --dport 22 -j DROP`, `-m length --length 100:100 -j DROP`, `-m hashlimit --hashlimit-above 60/min --hashlimit-name x -j DROP`,
	}
	for _, backend := range []string{host.BackendNFT, host.BackendLegacy} {
		h := netfilterHost(t)
		var calls []modules.Call
		for _, f := range forms {
			args, _ := json.Marshal(strings.Fields(f))
			calls = append(calls, call("iptables_rule", false, fmt.Sprintf(`{"chain":"FORWARD","backend":%q,"arguments":%s}`, backend, args)))
		}
		for _, c := range calls {
			apply(t, h, c)
			if r := apply(t, h, c); r.Diff.Action != modules.None {
				t.Errorf("%s: %s: %+v", backend, c.Params, r.Diff)
			}
		}
		if n := batch(t, h, calls); n != 0 {
			t.Errorf("%s: %d changed", backend, n)
		}
		gone := append([]modules.Call(nil), calls...)
		for i := range gone {
			gone[i].Absent = true
		}
		batch(t, h, gone)
		x := openTables(t, h, host.IPv4, backend)
		tab := mustTable(t, x, "filter")
		if rest := tab.Chain("FORWARD").Rules; len(rest) > 0 {
			t.Errorf("%s: left %q", backend, rest)
		}
	}
}

// counters puts programs before the real ones in PATH that count their runs.
func counters(t *testing.T) func() map[string]int {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for _, fam := range []string{"iptables", "ip6tables"} {
		for _, kind := range []string{"nft-save", "nft-restore", "legacy-save", "legacy-restore"} {
			name := fam + "-" + kind
			script := fmt.Sprintf("#!/bin/sh\nif [ -e /proc/self/ns/net ]; then echo %s $(readlink /proc/self/ns/net) >>%s; fi\nexec %s \"$@\"\n", name, log, lookTool(name))
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	live, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return func() map[string]int {
		b, _ := os.ReadFile(log)
		_ = os.Remove(log)
		out := map[string]int{}
		for line := range strings.Lines(string(b)) {
			name, ns, _ := strings.Cut(strings.TrimSpace(line), " ")
			if ns != live {
				name += " in scratch"
			}
			out[name]++
		}
		return out
	}
}

func TestRunsOfTheTool(t *testing.T) {
	for _, backend := range []string{"", host.BackendNFT, host.BackendLegacy} {
		t.Run(backend, func(t *testing.T) {
			h := netfilterHost(t)
			def, err := h.defaultBackend(ctxOf(t), host.IPv4)
			if err != nil {
				t.Fatal(err)
			}
			count := counters(t)
			short := "iptables-" + shortBackend[cmp.Or(backend, def)]
			where := ""
			if backend != "" {
				where = fmt.Sprintf(`"backend":%q,`, backend)
			}
			var calls []modules.Call
			for i := range 50 {
				calls = append(calls, call("iptables_rule", false, fmt.Sprintf(`{"chain":"FORWARD",%s"source":"10.0.0.%d","comment":"c%d","jump":"ACCEPT"}`, where, i+1, i)))
			}
			if n := batch(t, h, calls[:11]); n != 11 {
				t.Errorf("%d changed", n)
			}
			if got := count(); got[short+"-restore"] != 1 || got[short+"-restore in scratch"] != 1 {
				t.Errorf("first play of 11: %v", got)
			}
			batch(t, h, calls)
			count()
			again := New() // another session
			defer again.Close()
			if n := batch(t, again, calls); n != 0 {
				t.Errorf("%d changed", n)
			}
			got := count()
			restores := 0
			for name, n := range got {
				if strings.Contains(name, "restore") {
					restores += n
				}
			}
			if restores != 0 || got[short+"-save"] != 1 {
				t.Errorf("play that changes nothing: %v", got)
			}
		})
	}
}
