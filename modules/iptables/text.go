package iptables

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"labctl/modules/host"
)

// Place is where a rule stands, as far as that decides what it may say.
type Place struct {
	Family       host.Family
	Table, Chain string
}

// Fault is what is wrong with one argument.
type Fault struct{ Argument, Msg string }

func (f *Fault) Error() string { return f.Argument + ": " + f.Msg }

// ruleWriter collects the words of a rule in the order in which iptables-save prints them. What it writes from valid
// arguments is canonical, apart from names that only the machine can resolve; the first fault ends up in err.
type ruleWriter struct {
	Place
	words []string
	err   error
}

func (w *ruleWriter) fault(name, format string, args ...any) {
	if w.err == nil {
		w.err = &Fault{name, fmt.Sprintf(format, args...)}
	}
}

func (w *ruleWriter) put(words ...string) { w.words = append(w.words, words...) }

// match writes -m NAME and what fn writes, or nothing at all if fn writes nothing.
func (w *ruleWriter) match(name string, fn func()) {
	start := len(w.words)
	w.put("-m", name)
	fn()
	if len(w.words) == start+2 {
		w.words = w.words[:start]
	}
}

// option writes a flag with a value, in the form that norm gives it; an empty form means that iptables prints nothing.
func (w *ruleWriter) option(name, flag, value string, norm func(string) (string, error)) {
	if value == "" {
		return
	}
	v, not := negated(value)
	v, err := norm(v)
	switch {
	case err != nil:
		w.fault(name, "%v", err)
	case v == "" && not:
		w.fault(name, "%q matches nothing", value)
	case v != "" && not:
		w.put("!", flag, v)
	case v != "":
		w.put(flag, v)
	}
}

// list is option for a list whose first element may carry the negation.
func (w *ruleWriter) list(name, flag string, values []string, norm func([]string) (string, error)) {
	if len(values) == 0 {
		return
	}
	values = slices.Clone(values)
	var not bool
	values[0], not = negated(values[0])
	v, err := norm(values)
	if err != nil {
		w.fault(name, "%v", err)
		return
	}
	if not {
		w.put("!")
	}
	w.put(flag, v)
}

// flag writes a switch that can be negated; nil: not at all.
func (w *ruleWriter) flag(flag string, on *bool) {
	if on == nil {
		return
	}
	if !*on {
		w.put("!")
	}
	w.put(flag)
}

func negated(v string) (string, bool) {
	rest, not := strings.CutPrefix(strings.TrimSpace(v), "!")
	return strings.TrimSpace(rest), not
}

// Lines returns the rules that the arguments stand for, without "-A CHAIN": one, or one for each pair of a source and a
// destination. The error is a *Fault.
func (r *Rule) Lines(p Place) ([]string, error) {
	w := &ruleWriter{Place: p}
	sources, destinations := w.addresses("source", r.Source), w.addresses("destination", r.Destination)
	r.writeRest(w)
	if w.err != nil {
		return nil, w.err
	}
	var out []string
	for _, s := range sources {
		for _, d := range destinations {
			var words []string
			if s != "" {
				words = append(words, strings.Replace(s, "@", "-s", 1))
			}
			if d != "" {
				words = append(words, strings.Replace(d, "@", "-d", 1))
			}
			out = append(out, strings.Join(append(words, w.words...), " "))
		}
	}
	return out, nil
}

// addresses returns one "@ ADDRESS" or "! @ ADDRESS" for each address of a comma list, "" for any address.
func (w *ruleWriter) addresses(name, value string) []string {
	if value == "" {
		return []string{""}
	}
	v, not := negated(value)
	list := strings.Split(v, ",")
	if not && len(list) > 1 {
		w.fault(name, "iptables cannot negate several addresses in one rule")
	}
	var out []string
	for _, one := range list {
		p, err := prefix(w.Family, strings.TrimSpace(one))
		switch {
		case err != nil:
			w.fault(name, "%v", err)
		case p == "" && not:
			w.fault(name, "%q matches nothing", value)
		case p == "":
			out = append(out, "")
		case not:
			out = append(out, "! @ "+p)
		default:
			out = append(out, "@ "+p)
		}
	}
	return out
}

// writeRest writes everything but the addresses.
func (r *Rule) writeRest(w *ruleWriter) {
	w.option("in_interface", "-i", r.InInterface, interfaceMatch)
	w.option("out_interface", "-o", r.OutInterface, interfaceMatch)
	w.option("protocol", "-p", r.Protocol, func(v string) (string, error) { return protocol(w.Family, v) })
	if r.Fragment != nil && w.Family == host.IPv6 {
		w.fault("fragment", "is for IPv4 only")
	}
	w.flag("-f", r.Fragment)
	r.writePorts(w)
	r.writeMatches(w)
	w.raw(r.Arguments)
	w.match("comment", func() {
		w.option("comment", "--comment", protect(r.Comment), func(string) (string, error) { return text(r.Comment, 255) })
	})
	r.checkChain(w)
	r.writeTarget(w)
}

// protect keeps a text that begins with "!" from being taken for a negation: only whether there is one matters.
func protect(s string) string {
	if s == "" {
		return ""
	}
	return "x"
}

func (r *Rule) writeMatches(w *ruleWriter) {
	w.match("conntrack", func() {
		w.list("ctstate", "--ctstate", r.CTState, words(ctStates))
		w.list("ctstatus", "--ctstatus", r.CTStatus, words(ctStatuses))
	})
	w.match("state", func() { w.list("state", "--state", r.State, words(states)) })
	w.match("mark", func() { w.option("mark", "--mark", r.Mark, markMatch) })
	w.match("connmark", func() { w.option("connmark", "--mark", r.ConnMark, markMatch) })
	w.match("addrtype", func() {
		w.option("src_type", "--src-type", r.SrcType, addressTypes(w.Family))
		w.option("dst_type", "--dst-type", r.DstType, addressTypes(w.Family))
	})
	addressRange := func(v string) (string, error) { return addressRange(w.Family, v) }
	w.match("iprange", func() {
		w.option("src_range", "--src-range", r.SrcRange, addressRange)
		w.option("dst_range", "--dst-range", r.DstRange, addressRange)
	})
	w.match("mac", func() { w.option("mac_source", "--mac-source", r.MACSource, macAddress) })
	w.match("physdev", func() {
		w.option("physdev_in", "--physdev-in", r.PhysdevIn, interfaceMatch)
		w.flag("--physdev-is-in", r.PhysdevIsIn)
		w.option("physdev_out", "--physdev-out", r.PhysdevOut, interfaceMatch)
		w.flag("--physdev-is-out", r.PhysdevIsOut)
		w.flag("--physdev-is-bridged", r.PhysdevIsBridged)
	})
	w.match("owner", func() {
		w.option("uid_owner", "--uid-owner", r.UIDOwner, oneWord)
		w.option("gid_owner", "--gid-owner", r.GIDOwner, oneWord)
	})
	w.match("set", func() { w.option("match_set", "--match-set", r.MatchSet, setMatch) })
	w.match("limit", func() { r.writeLimit(w) })
}

func (r *Rule) writeLimit(w *ruleWriter) {
	if r.LimitBurst != nil && r.Limit == "" {
		w.fault("limit_burst", "needs limit")
	}
	if _, not := negated(r.Limit); not {
		w.fault("limit", "cannot be negated")
	}
	w.option("limit", "--limit", r.Limit, rate)
	if r.LimitBurst == nil {
		return
	}
	if *r.LimitBurst < 1 || *r.LimitBurst > 10000 {
		w.fault("limit_burst", "%d is not between 1 and 10000", *r.LimitBurst)
	}
	if *r.LimitBurst != 5 { // the default is not printed
		w.put("--limit-burst", itoa(*r.LimitBurst))
	}
}

// writePorts writes the matches that belong to a protocol. iptables-save prints them behind "-m PROTOCOL".
func (r *Rule) writePorts(w *ruleWriter) {
	proto := ""
	if v, not := negated(r.Protocol); !not {
		proto, _ = protocol(w.Family, v)
	}
	withPorts := slices.Contains([]string{"tcp", "udp", "udplite", "sctp", "dccp"}, proto)
	for _, o := range []struct {
		name string
		set  bool
		ok   bool
		need string
	}{
		{"source_port", r.SourcePort != "", withPorts, "tcp, udp, udplite, sctp or dccp"},
		{"destination_port", r.DestinationPort != "", withPorts, "tcp, udp, udplite, sctp or dccp"},
		{"source_ports", len(r.SourcePorts) > 0, withPorts, "tcp, udp, udplite, sctp or dccp"},
		{"destination_ports", len(r.DestinationPorts) > 0, withPorts, "tcp, udp, udplite, sctp or dccp"},
		{"ports", len(r.Ports) > 0, withPorts, "tcp, udp, udplite, sctp or dccp"},
		{"tcp_flags", r.TCPFlags != nil, proto == "tcp", "tcp"},
		{"syn", r.Syn != nil, proto == "tcp", "tcp"},
		{"icmp_type", r.ICMPType != "", proto == "icmp" || proto == "ipv6-icmp", "icmp or icmpv6"},
	} {
		if o.set && !o.ok {
			w.fault(o.name, "needs protocol = %s", o.need)
			return
		}
	}
	w.match(proto, func() {
		w.option("source_port", "--sport", positive(r.SourcePort), portRange)
		w.option("destination_port", "--dport", positive(r.DestinationPort), portRange)
		r.writeFlags(w)
		if proto == "icmp" || proto == "ipv6-icmp" {
			r.writeICMP(w, proto)
		}
	})
	w.match("multiport", func() { w.list("source_ports", "--sports", r.SourcePorts, portList) })
	w.match("multiport", func() { w.list("destination_ports", "--dports", r.DestinationPorts, portList) })
	w.match("multiport", func() { w.list("ports", "--ports", r.Ports, portList) })
}

func (r *Rule) writeFlags(w *ruleWriter) {
	if r.Syn != nil {
		if r.TCPFlags != nil {
			w.fault("syn", "stands for tcp_flags: give one of both")
		}
		if !*r.Syn {
			w.put("!")
		}
		w.put("--tcp-flags", "FIN,SYN,RST,ACK", "SYN")
	}
	if f := r.TCPFlags; f != nil {
		comp, err := tcpFlags(f.Comp)
		if err != nil {
			w.fault("tcp_flags.comp", "%v", err)
		}
		w.list("tcp_flags.mask", "--tcp-flags", f.Mask, tcpFlags)
		w.put(comp)
	}
}

func (r *Rule) writeICMP(w *ruleWriter, proto string) {
	if (proto == "icmp") != (w.Family == host.IPv4) {
		w.fault("protocol", "%s has no icmp_type in %s", proto, w.Family)
	}
	if w.Family == host.IPv4 {
		w.option("icmp_type", "--icmp-type", r.ICMPType, icmpType(icmpTypes))
		return
	}
	w.words[len(w.words)-1] = "icmp6" // the match is not called like the protocol
	w.option("icmp_type", "--icmpv6-type", r.ICMPType, icmpType(icmp6Types))
}

// checkChain refuses interfaces that the chain's hook does not know yet, or any more.
func (r *Rule) checkChain(w *ruleWriter) {
	if r.OutInterface != "" && (w.Chain == "INPUT" || w.Chain == "PREROUTING") {
		w.fault("out_interface", "is not known yet in %s", w.Chain)
	}
	if r.InInterface != "" && (w.Chain == "OUTPUT" || w.Chain == "POSTROUTING") {
		w.fault("in_interface", "is not known in %s", w.Chain)
	}
}

// raw writes the words of arguments, which must not be commands of their own.
func (w *ruleWriter) raw(args []string) {
	for i, s := range args {
		if strings.ContainsAny(s, "\r\n\x00") || !utf8.ValidString(s) {
			w.fault("arguments", "%q has a line break or is not UTF-8", s)
		}
		if slices.Contains(notInRules, s) || strings.HasPrefix(s, "--table=") {
			w.fault("arguments", "%q is not a match or a target", s)
		}
		if i > 0 && slices.Contains([]string{"-s", "--source", "--src", "-d", "--destination", "--dst"}, args[i-1]) {
			for _, one := range strings.Split(s, ",") {
				if _, err := prefix(w.Family, one); err != nil {
					w.fault("arguments", "%v", err)
				}
			}
		}
		w.put(rawWord(s))
	}
}

// notInRules are the commands and general options of iptables(8).
var notInRules = strings.Fields(`-A --append -C --check -D --delete -I --insert -R --replace -L --list -S --list-rules -F --flush
	-Z --zero -N --new-chain -X --delete-chain -P --policy -E --rename-chain -t --table -w --wait -v --verbose -n --numeric -x
	--exact --line-numbers -h --help -V --version -M --modprobe -c --set-counters`)

// rawWord quotes only what iptables-restore would split.
func rawWord(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\"'\\") {
		return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) + `"`
	}
	return s
}
