package iptables

import (
	"slices"
	"strings"

	"labctl/modules/host"
)

// targetTables are the tables that a target is bound to (the .table of its kernel module); others go anywhere.
var targetTables = map[string]string{
	"SNAT": "nat", "DNAT": "nat", "MASQUERADE": "nat", "REDIRECT": "nat", "NETMAP": "nat",
	"NOTRACK": "raw", "CT": "raw", "REJECT": "filter", "TTL": "mangle", "HL": "mangle", "TPROXY": "mangle",
}

// targetChains are the built-in chains that a NAT target can work in.
var targetChains = map[string][]string{
	"SNAT": {"INPUT", "POSTROUTING"}, "MASQUERADE": {"POSTROUTING"},
	"DNAT": {"PREROUTING", "OUTPUT"}, "REDIRECT": {"PREROUTING", "OUTPUT"},
}

// targetOption is an argument that belongs to certain targets.
type targetOption struct {
	name    string
	set     bool
	targets []string
}

func (a *Rule) targetOptions() []targetOption {
	marks := []string{"MARK", "CONNMARK"}
	conn := []string{"CONNMARK"}
	log := []string{"LOG"}
	mss := []string{"TCPMSS"}
	return []targetOption{
		{"to_source", a.ToSource != "", []string{"SNAT"}},
		{"to_destination", a.ToDestination != "", []string{"DNAT"}},
		{"to_ports", a.ToPorts != "", []string{"MASQUERADE", "REDIRECT"}},
		{"random", a.Random, []string{"SNAT", "DNAT", "MASQUERADE", "REDIRECT"}},
		{"random_fully", a.RandomFully, []string{"SNAT", "MASQUERADE"}},
		{"persistent", a.Persistent, []string{"SNAT", "DNAT"}},
		{"log_prefix", a.LogPrefix != "", log},
		{"log_level", a.LogLevel != "", log},
		{"log_tcp_sequence", a.LogTCPSequence, log},
		{"log_tcp_options", a.LogTCPOptions, log},
		{"log_ip_options", a.LogIPOptions, log},
		{"log_uid", a.LogUID, log},
		{"reject_with", a.RejectWith != "", []string{"REJECT"}},
		{"set_mark", a.SetMark != "", marks},
		{"set_xmark", a.SetXMark != "", marks},
		{"save_mark", a.SaveMark, conn},
		{"restore_mark", a.RestoreMark, conn},
		{"nfmask", a.NFMask != "", conn},
		{"ctmask", a.CTMask != "", conn},
		{"clamp_mss_to_pmtu", a.ClampMSSToPMTU, mss},
		{"set_mss", a.SetMSS != nil, mss},
		{"notrack", a.NoTrack, []string{"CT"}},
	}
}

// writeTarget writes -j or -g with the target's options.
func (a *Rule) writeTarget(w *ruleWriter) {
	if !a.checkTarget(w) {
		return
	}
	if a.Goto != "" {
		w.put("-g", a.Goto)
		return
	}
	w.put("-j", a.Jump)
	switch a.Jump {
	case "SNAT":
		a.writeNAT(w, "to_source", "--to-source", a.ToSource)
	case "DNAT":
		a.writeNAT(w, "to_destination", "--to-destination", a.ToDestination)
	case "MASQUERADE", "REDIRECT":
		w.option("to_ports", "--to-ports", a.ToPorts, natPorts)
		a.writeRandom(w)
	case "LOG":
		a.writeLog(w)
	case "REJECT":
		w.put("--reject-with")
		v, err := rejectWith(w.Family, a.RejectWith)
		if err != nil {
			w.fault("reject_with", "%v", err)
		}
		w.put(v)
	case "MARK", "CONNMARK":
		a.writeMark(w)
	case "TCPMSS":
		a.writeMSS(w)
	case "CT":
		if a.NoTrack {
			w.put("--notrack")
		}
	}
}

// checkTarget reports whether there is a target to write here.
func (a *Rule) checkTarget(w *ruleWriter) bool {
	for _, o := range a.targetOptions() {
		if o.set && !slices.Contains(o.targets, a.Jump) {
			w.fault(o.name, "needs jump = %s", strings.Join(o.targets, " or "))
		}
	}
	switch {
	case a.Jump != "" && a.Goto != "":
		w.fault("goto", "and jump exclude each other")
	case a.Jump == "" && a.Goto == "":
		if len(a.Arguments) == 0 {
			w.fault("jump", "is missing: a rule without a target does nothing")
		}
		return false
	case a.Goto != "":
		if err := ChainName(a.Goto); err != nil || host.Extension(a.Goto) {
			w.fault("goto", "%q is not the name of a chain", a.Goto)
		}
		return true
	}
	if !host.Extension(a.Jump) {
		if err := ChainName(a.Jump); err != nil {
			w.fault("jump", "%v", err)
		}
	}
	if t := targetTables[a.Jump]; t != "" && t != w.Table {
		w.fault("jump", "%s works in table %s only, not in %s", a.Jump, t, w.Table)
	}
	if c := targetChains[a.Jump]; c != nil && slices.Contains(host.BuiltinChains(w.Table), w.Chain) && !slices.Contains(c, w.Chain) {
		w.fault("jump", "%s works in %s only, not in %s", a.Jump, strings.Join(c, " and "), w.Chain)
	}
	return true
}

func (a *Rule) writeNAT(w *ruleWriter, name, flag, to string) {
	v, err := natAddress(w.Family, to)
	if err != nil {
		w.fault(name, "%v", err)
	}
	w.put(flag, v)
	a.writeRandom(w)
	if a.Persistent {
		w.put("--persistent")
	}
}

func (a *Rule) writeRandom(w *ruleWriter) {
	if a.Random {
		w.put("--random")
	}
	if a.RandomFully {
		w.put("--random-fully")
	}
}

func (a *Rule) writeLog(w *ruleWriter) {
	if a.LogPrefix != "" {
		v, err := text(a.LogPrefix, 29) // iptables cuts a longer one without a word: 30 bytes with the NUL (xt_LOG.h)
		if err != nil {
			w.fault("log_prefix", "%v", err)
		}
		w.put("--log-prefix", v)
	}
	if a.LogLevel != "" {
		v, err := logLevel(a.LogLevel)
		if err != nil {
			w.fault("log_level", "%v", err)
		}
		if v != "4" { // the default is not printed
			w.put("--log-level", v)
		}
	}
	for _, o := range []struct {
		on   bool
		flag string
	}{{a.LogTCPSequence, "--log-tcp-sequence"}, {a.LogTCPOptions, "--log-tcp-options"}, {a.LogIPOptions, "--log-ip-options"}, {a.LogUID, "--log-uid"}} {
		if o.on {
			w.put(o.flag)
		}
	}
}

func (a *Rule) writeMark(w *ruleWriter) {
	n := 0
	for _, set := range []bool{a.SetMark != "", a.SetXMark != "", a.SaveMark, a.RestoreMark} {
		if set {
			n++
		}
	}
	if n != 1 && (n > 1 || len(a.Arguments) == 0) {
		w.fault("jump", "%s needs exactly one of set_mark, set_xmark, and for CONNMARK save_mark, restore_mark", a.Jump)
	}
	switch {
	case a.SetMark != "":
		w.option("set_mark", "--set-xmark", a.SetMark, setMark)
	case a.SetXMark != "":
		w.option("set_xmark", "--set-xmark", a.SetXMark, setXMark)
	case a.SaveMark:
		w.put("--save-mark")
	case a.RestoreMark:
		w.put("--restore-mark")
	}
	if !a.SaveMark && !a.RestoreMark {
		if a.NFMask != "" || a.CTMask != "" {
			w.fault("nfmask", "and ctmask go with save_mark or restore_mark")
		}
		return
	}
	w.option("nfmask", "--nfmask", orAll(a.NFMask), hexNumber)
	w.option("ctmask", "--ctmask", orAll(a.CTMask), hexNumber)
}

func orAll(mask string) string {
	if mask == "" {
		return "0xffffffff"
	}
	return mask
}

func (a *Rule) writeMSS(w *ruleWriter) {
	switch {
	case a.ClampMSSToPMTU == (a.SetMSS != nil):
		w.fault("jump", "TCPMSS needs exactly one of clamp_mss_to_pmtu and set_mss")
	case a.ClampMSSToPMTU:
		w.put("--clamp-mss-to-pmtu")
	case *a.SetMSS < 1 || *a.SetMSS > 65535:
		w.fault("set_mss", "%d is not between 1 and 65535", *a.SetMSS)
	default:
		w.put("--set-mss", itoa(*a.SetMSS))
	}
}
