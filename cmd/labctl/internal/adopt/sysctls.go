package adopt

import (
	"maps"
	"slices"
	"strings"
)

// plainSysctls writes the parameters that differ from those of a namespace just made, before there are devices: what is said of
// default holds for those that come.
func (w *writer) plainSysctls() { w.sysctls(false) }

func (w *writer) deviceSysctls() { w.sysctls(true) }

func (w *writer) sysctls(devices bool) {
	if w.s.Scratch == nil {
		if !devices && w.wants("sysctl") {
			w.leave("only root is shown what a new namespace has, which they are compared with", "sysctls")
		}
		return
	}
	for _, ns := range w.namesOf() {
		have := w.s.NetNS[ns].Sysctls
		keys := slices.SortedFunc(maps.Keys(have), widestFirst)
		for _, key := range keys {
			if standard, ofDevice := w.standard(ns, key); ofDevice == devices && standard != nil && *standard != have[key] && !volatile(key) && !inherent(key, have[key]) {
				w.add(in(ns, task{module: "sysctl", label: key, args: map[string]any{"value": have[key]}}))
			}
		}
	}
}

// standard is the value that a parameter has by itself, nil where that is not known, and whether it is one of a device.
func (w *writer) standard(ns, key string) (value *string, device bool) {
	for _, tree := range []string{"net.ipv4.conf.", "net.ipv6.conf.", "net.ipv4.neigh.", "net.ipv6.neigh."} {
		rest, ok := strings.CutPrefix(key, tree)
		if !ok {
			continue
		}
		dev, leaf, _ := strings.Cut(rest, ".")
		if dev == "all" || dev == "default" {
			break
		}
		if v, ok := w.s.NetNS[ns].Sysctls[tree+"default."+leaf]; ok && dev != "lo" {
			return &v, true
		}
		return nil, true
	}
	if v, ok := w.s.Scratch.Sysctls[key]; ok {
		return &v, false
	}
	return nil, false
}

// widestFirst orders parameters: net.ipv4.ip_forward sets those of all devices, "all" and "default" come before single ones.
func widestFirst(a, b string) int {
	rank := func(k string) int {
		switch {
		case strings.HasSuffix(k, ".ip_forward"):
			return 0
		case strings.Contains(k, ".all."):
			return 1
		case strings.Contains(k, ".default."):
			return 2
		}
		return 3
	}
	if c := rank(a) - rank(b); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// inherent are the values that the kernel gives to devices of a kind by itself: those without ARP look for no duplicates, tunnels
// make up no addresses (ipv6_add_dev in net/ipv6/addrconf.c, wg_setup), and those that nobody can write.
func inherent(key, value string) bool {
	switch key[strings.LastIndexByte(key, '.')+1:] {
	case "accept_dad", "use_tempaddr":
		return value == "-1"
	case "addr_gen_mode":
		return value == "1"
	case "tcp_ehash_entries", "udp_hash_entries":
		return true
	}
	return false
}

// volatile are those that change by themselves, or by what else is set.
func volatile(key string) bool {
	for _, end := range []string{"_count", ".mtu", ".stable_secret", ".flush", ".app_solicit", ".base_reachable_time", ".retrans_time", ".locktime", ".unres_qlen"} {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return strings.Contains(key, "_mem") || key == "kernel.hostname"
}
