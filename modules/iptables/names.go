package iptables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// The vocabularies of the extensions, in the order in which iptables-save prints them.
var (
	ctStates   = strings.Fields("INVALID NEW RELATED ESTABLISHED UNTRACKED SNAT DNAT")
	states     = strings.Fields("INVALID NEW RELATED ESTABLISHED UNTRACKED")
	ctStatuses = strings.Fields("NONE EXPECTED SEEN_REPLY ASSURED CONFIRMED")
	addrTypes  = strings.Fields("UNSPEC UNICAST LOCAL BROADCAST ANYCAST MULTICAST BLACKHOLE UNREACHABLE PROHIBIT THROW NAT XRESOLVE")
	allFlags   = strings.Fields("FIN SYN RST PSH ACK URG")
	logLevels  = strings.Fields("emerg alert crit error warning notice info debug")
)

// words returns a function that checks words against a vocabulary and joins them in its order.
func words(vocabulary []string) func([]string) (string, error) {
	return func(list []string) (string, error) {
		set := map[string]bool{}
		for _, s := range list {
			s = strings.ToUpper(strings.TrimSpace(s))
			if !slices.Contains(vocabulary, s) {
				return "", fmt.Errorf("%q is not one of %s", s, strings.Join(vocabulary, ", "))
			}
			set[s] = true
		}
		var out []string
		for _, v := range vocabulary {
			if set[v] {
				out = append(out, v)
			}
		}
		return strings.Join(out, ","), nil
	}
}

// addressTypes takes types with commas. IPv6 has no broadcast, and the kernel refuses to look for it.
func addressTypes(f host.Family) func(string) (string, error) {
	return func(s string) (string, error) {
		out, err := words(addrTypes)(strings.Split(s, ","))
		if err == nil && f == host.IPv6 && strings.Contains(out, "BROADCAST") {
			err = fmt.Errorf("%q: IPv6 has no broadcast addresses", s)
		}
		return out, err
	}
}

func tcpFlags(list []string) (string, error) {
	if len(list) == 0 {
		return "NONE", nil
	}
	if len(list) == 1 {
		switch strings.ToUpper(list[0]) {
		case "ALL":
			return strings.Join(allFlags, ","), nil
		case "NONE":
			return "NONE", nil
		}
	}
	return words(allFlags)(list)
}

func logLevel(s string) (string, error) {
	s = strings.ToLower(s)
	switch s {
	case "panic":
		return "0", nil
	case "err":
		return "3", nil
	case "warn":
		return "4", nil
	}
	if i := slices.Index(logLevels, s); i >= 0 {
		return itoa(i), nil
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(logLevels) {
		return itoa(n), nil
	}
	return "", fmt.Errorf("%q is not one of %s, nor 0 to 7", s, strings.Join(logLevels, ", "))
}

// rejections are the names of --reject-with and their short forms (libipt_REJECT.c, libip6t_REJECT.c).
var rejections = map[host.Family]map[string]string{
	host.IPv4: {
		"": "icmp-port-unreachable", "port-unreach": "icmp-port-unreachable", "icmp-port-unreachable": "icmp-port-unreachable",
		"net-unreach": "icmp-net-unreachable", "icmp-net-unreachable": "icmp-net-unreachable",
		"host-unreach": "icmp-host-unreachable", "icmp-host-unreachable": "icmp-host-unreachable",
		"proto-unreach": "icmp-proto-unreachable", "icmp-proto-unreachable": "icmp-proto-unreachable",
		"net-prohib": "icmp-net-prohibited", "icmp-net-prohibited": "icmp-net-prohibited",
		"host-prohib": "icmp-host-prohibited", "icmp-host-prohibited": "icmp-host-prohibited",
		"admin-prohib": "icmp-admin-prohibited", "icmp-admin-prohibited": "icmp-admin-prohibited",
		"tcp-rst": "tcp-reset", "tcp-reset": "tcp-reset",
	},
	host.IPv6: {
		"": "icmp6-port-unreachable", "port-unreach": "icmp6-port-unreachable", "icmp6-port-unreachable": "icmp6-port-unreachable",
		"no-route": "icmp6-no-route", "icmp6-no-route": "icmp6-no-route",
		"adm-prohibited": "icmp6-adm-prohibited", "icmp6-adm-prohibited": "icmp6-adm-prohibited",
		"addr-unreach": "icmp6-addr-unreachable", "icmp6-addr-unreachable": "icmp6-addr-unreachable",
		"policy-fail": "icmp6-policy-fail", "icmp6-policy-fail": "icmp6-policy-fail",
		"reject-route": "icmp6-reject-route", "icmp6-reject-route": "icmp6-reject-route",
		"tcp-reset": "tcp-reset",
	},
}

func rejectWith(f host.Family, s string) (string, error) {
	if v := rejections[f][s]; v != "" {
		return v, nil
	}
	var names []string
	for _, v := range rejections[f] {
		if !slices.Contains(names, v) {
			names = append(names, v)
		}
	}
	slices.Sort(names)
	return "", fmt.Errorf("%q is not one of %s", s, strings.Join(names, ", "))
}

// The ICMP types by name (xt_icmp.h of iptables).
var (
	icmpTypes = map[string]string{
		"any": "any", "echo-reply": "0", "pong": "0", "destination-unreachable": "3", "network-unreachable": "3/0",
		"host-unreachable": "3/1", "protocol-unreachable": "3/2", "port-unreachable": "3/3", "fragmentation-needed": "3/4",
		"source-route-failed": "3/5", "network-unknown": "3/6", "host-unknown": "3/7", "network-prohibited": "3/9",
		"host-prohibited": "3/10", "communication-prohibited": "3/13", "source-quench": "4", "redirect": "5",
		"network-redirect": "5/0", "host-redirect": "5/1", "echo-request": "8", "ping": "8", "router-advertisement": "9",
		"router-solicitation": "10", "time-exceeded": "11", "ttl-exceeded": "11", "ttl-zero-during-transit": "11/0",
		"ttl-zero-during-reassembly": "11/1", "parameter-problem": "12", "ip-header-bad": "12/0",
		"timestamp-request": "13", "timestamp-reply": "14", "address-mask-request": "17", "address-mask-reply": "18",
	}
	icmp6Types = map[string]string{
		"destination-unreachable": "1", "no-route": "1/0", "communication-prohibited": "1/1", "beyond-scope": "1/2",
		"address-unreachable": "1/3", "port-unreachable": "1/4", "packet-too-big": "2", "time-exceeded": "3",
		"ttl-exceeded": "3", "ttl-zero-during-transit": "3/0", "ttl-zero-during-reassembly": "3/1", "parameter-problem": "4",
		"bad-header": "4/0", "unknown-header-type": "4/1", "unknown-option": "4/2", "echo-request": "128", "ping": "128",
		"echo-reply": "129", "pong": "129", "router-solicitation": "133", "router-advertisement": "134",
		"neighbour-solicitation": "135", "neighbor-solicitation": "135", "neighbour-advertisement": "136",
		"neighbor-advertisement": "136", "redirect": "137",
	}
)

func icmpType(names map[string]string) func(string) (string, error) {
	return func(s string) (string, error) {
		if v, ok := names[strings.ToLower(s)]; ok {
			return v, nil
		}
		kind, code, hasCode := strings.Cut(s, "/")
		k, err := strconv.ParseUint(kind, 10, 8)
		if err != nil || k == 255 {
			return "", fmt.Errorf("%q is neither the name of an ICMP type nor TYPE or TYPE/CODE", s)
		}
		if !hasCode {
			return strconv.FormatUint(k, 10), nil
		}
		c, err := strconv.ParseUint(code, 10, 8)
		if err != nil {
			return "", fmt.Errorf("%q is neither the name of an ICMP type nor TYPE or TYPE/CODE", s)
		}
		return fmt.Sprintf("%d/%d", k, c), nil
	}
}

// rate prints N/UNIT as libxt_limit.c does: as the period of one packet in ten-thousandths of a second, then in the
// smallest unit that shows it without much loss.
func rate(s string) (string, error) {
	units := []struct {
		name   string
		period uint64
	}{{"day", 86400 * 10000}, {"hour", 3600 * 10000}, {"min", 60 * 10000}, {"sec", 10000}}
	count, unit, hasUnit := strings.Cut(s, "/")
	n, err := strconv.ParseUint(count, 10, 32)
	if !hasUnit {
		unit = "sec"
	}
	full := map[string]string{"day": "day", "hour": "hour", "min": "minute", "sec": "second"}
	for _, u := range units {
		if err != nil || n == 0 || unit == "" || !strings.HasPrefix(full[u.name], strings.ToLower(unit)) {
			continue
		}
		period := u.period / n
		if period == 0 {
			return "", fmt.Errorf("%q is too fast: at most 10000 per second", s)
		}
		i := 1
		for i < len(units) && period <= units[i].period && units[i].period/period >= units[i].period%period {
			i++
		}
		return fmt.Sprintf("%d/%s", units[i-1].period/period, units[i-1].name), nil
	}
	return "", fmt.Errorf("%q is not a rate such as 5/second, 10/minute, 3/hour or 1/day", s)
}
