package iptables

import (
	"slices"
	"strings"

	"labctl/modules/host"
)

// targetTables are the tables that a target is bound to (the .table of its kernel module); others go anywhere.
var targetTables = map[string]string{
	"SNAT": "nat", "DNAT": "nat", "MASQUERADE": "nat", "REDIRECT": "nat", "NETMAP": "nat",
	"NOTRACK": "raw", "CT": "raw", "REJECT": "filter", "TTL": "mangle", "HL": "mangle", "TPROXY": "mangle", "CHECKSUM": "mangle",
}

// targetChains are the built-in chains that a NAT target can work in.
var targetChains = map[string][]string{
	"SNAT": {"INPUT", "POSTROUTING"}, "MASQUERADE": {"POSTROUTING"},
	"DNAT": {"PREROUTING", "OUTPUT"}, "REDIRECT": {"PREROUTING", "OUTPUT"},
}

// targetOption is an argument that belongs to certain targets.
type targetOption struct {
	name    string
	set     func(*Rule) bool
	targets []string
}

var (
	markTargets = []string{"MARK", "CONNMARK"}
	connmark    = []string{"CONNMARK"}
	logTarget   = []string{"LOG"}
	tcpmss      = []string{"TCPMSS"}

	targetOptions = []targetOption{
		{"to_source", func(r *Rule) bool { return r.ToSource != "" }, []string{"SNAT"}},
		{"to_destination", func(r *Rule) bool { return r.ToDestination != "" }, []string{"DNAT"}},
		{"to_ports", func(r *Rule) bool { return r.ToPorts != "" }, []string{"MASQUERADE", "REDIRECT"}},
		{"random", func(r *Rule) bool { return r.Random }, []string{"SNAT", "DNAT", "MASQUERADE", "REDIRECT"}},
		{"random_fully", func(r *Rule) bool { return r.RandomFully }, []string{"SNAT", "MASQUERADE"}},
		{"persistent", func(r *Rule) bool { return r.Persistent }, []string{"SNAT", "DNAT"}},
		{"log_prefix", func(r *Rule) bool { return r.LogPrefix != "" }, logTarget},
		{"log_level", func(r *Rule) bool { return r.LogLevel != "" }, logTarget},
		{"log_tcp_sequence", func(r *Rule) bool { return r.LogTCPSequence }, logTarget},
		{"log_tcp_options", func(r *Rule) bool { return r.LogTCPOptions }, logTarget},
		{"log_ip_options", func(r *Rule) bool { return r.LogIPOptions }, logTarget},
		{"log_uid", func(r *Rule) bool { return r.LogUID }, logTarget},
		{"reject_with", func(r *Rule) bool { return r.RejectWith != "" }, []string{"REJECT"}},
		{"set_mark", func(r *Rule) bool { return r.SetMark != "" }, markTargets},
		{"set_xmark", func(r *Rule) bool { return r.SetXMark != "" }, markTargets},
		{"save_mark", func(r *Rule) bool { return r.SaveMark }, connmark},
		{"restore_mark", func(r *Rule) bool { return r.RestoreMark }, connmark},
		{"nfmask", func(r *Rule) bool { return r.NFMask != "" }, connmark},
		{"ctmask", func(r *Rule) bool { return r.CTMask != "" }, connmark},
		{"clamp_mss_to_pmtu", func(r *Rule) bool { return r.ClampMSSToPMTU }, tcpmss},
		{"set_mss", func(r *Rule) bool { return r.SetMSS != nil }, tcpmss},
		{"notrack", func(r *Rule) bool { return r.NoTrack }, []string{"CT"}},
		{"checksum_fill", func(r *Rule) bool { return r.ChecksumFill }, []string{"CHECKSUM"}},
	}
)

// writeTarget writes -j or -g with the target's options.
func (r *Rule) writeTarget(w *ruleWriter) {
	if !r.checkTarget(w) {
		return
	}
	if r.Goto != "" {
		w.put("-g", r.Goto)
		return
	}
	w.put("-j", r.Jump)
	switch r.Jump {
	case "SNAT":
		r.writeNAT(w, "to_source", "--to-source", r.ToSource)
	case "DNAT":
		r.writeNAT(w, "to_destination", "--to-destination", r.ToDestination)
	case "MASQUERADE", "REDIRECT":
		w.option("to_ports", "--to-ports", r.ToPorts, natPorts)
		r.writeRandom(w)
	case "LOG":
		r.writeLog(w)
	case "REJECT":
		w.put("--reject-with")
		v, err := rejectWith(w.Family, r.RejectWith)
		if err != nil {
			w.fault("reject_with", "%v", err)
		}
		if p, _ := protocol(w.Family, r.Protocol); v == "tcp-reset" && p != "tcp" {
			w.fault("reject_with", "tcp-reset needs protocol = tcp")
		}
		w.put(v)
	case "MARK", "CONNMARK":
		r.writeMark(w)
	case "TCPMSS":
		r.writeMSS(w)
	case "CT":
		if r.NoTrack {
			w.put("--notrack")
		}
	case "CHECKSUM":
		if !r.ChecksumFill && len(r.Arguments) == 0 {
			w.fault("checksum_fill", "is needed: CHECKSUM does nothing else")
		}
		if r.ChecksumFill {
			w.put("--checksum-fill")
		}
	}
}

// checkTarget reports whether there is a target to write here.
func (r *Rule) checkTarget(w *ruleWriter) bool {
	for _, o := range targetOptions {
		if o.set(r) && !slices.Contains(o.targets, r.Jump) {
			w.fault(o.name, "needs jump = %s", strings.Join(o.targets, " or "))
		}
	}
	switch {
	case r.Jump != "" && r.Goto != "":
		w.fault("goto", "and jump exclude each other")
	case r.Jump == "" && r.Goto == "":
		if len(r.Arguments) == 0 {
			w.fault("jump", "is missing: a rule without a target does nothing")
		}
		return false
	case r.Goto != "":
		if err := ChainName(r.Goto); err != nil || host.Extension(r.Goto) {
			w.fault("goto", "%q is not the name of a chain", r.Goto)
		}
		return true
	}
	if !host.Extension(r.Jump) {
		if err := ChainName(r.Jump); err != nil {
			w.fault("jump", "%v", err)
		}
	}
	if t := targetTables[r.Jump]; t != "" && t != w.Table {
		w.fault("jump", "%s works in table %s only, not in %s", r.Jump, t, w.Table)
	}
	if c := targetChains[r.Jump]; c != nil && slices.Contains(host.BuiltinChains(w.Table), w.Chain) && !slices.Contains(c, w.Chain) {
		w.fault("jump", "%s works in %s only, not in %s", r.Jump, strings.Join(c, " and "), w.Chain)
	}
	return true
}

func (r *Rule) writeNAT(w *ruleWriter, name, flag, to string) {
	v, err := natAddress(w.Family, to)
	if err != nil {
		w.fault(name, "%v", err)
	}
	w.put(flag, v)
	r.writeRandom(w)
	if r.Persistent {
		w.put("--persistent")
	}
}

func (r *Rule) writeRandom(w *ruleWriter) {
	if r.Random {
		w.put("--random")
	}
	if r.RandomFully {
		w.put("--random-fully")
	}
}

func (r *Rule) writeLog(w *ruleWriter) {
	if r.LogPrefix != "" {
		v, err := text(r.LogPrefix, 29) // iptables cuts a longer one without a word: 30 bytes with the NUL (xt_LOG.h)
		if err != nil {
			w.fault("log_prefix", "%v", err)
		}
		w.put("--log-prefix", v)
	}
	if r.LogLevel != "" {
		v, err := logLevel(r.LogLevel)
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
	}{{r.LogTCPSequence, "--log-tcp-sequence"}, {r.LogTCPOptions, "--log-tcp-options"}, {r.LogIPOptions, "--log-ip-options"}, {r.LogUID, "--log-uid"}} {
		if o.on {
			w.put(o.flag)
		}
	}
}

func (r *Rule) writeMark(w *ruleWriter) {
	n := 0
	for _, set := range []bool{r.SetMark != "", r.SetXMark != "", r.SaveMark, r.RestoreMark} {
		if set {
			n++
		}
	}
	if n != 1 && (n > 1 || len(r.Arguments) == 0) {
		w.fault("jump", "%s needs exactly one of set_mark, set_xmark, and for CONNMARK save_mark, restore_mark", r.Jump)
	}
	switch {
	case r.SetMark != "":
		w.option("set_mark", "--set-xmark", r.SetMark, setMark)
	case r.SetXMark != "":
		w.option("set_xmark", "--set-xmark", r.SetXMark, setXMark)
	case r.SaveMark:
		w.put("--save-mark")
	case r.RestoreMark:
		w.put("--restore-mark")
	}
	if !r.SaveMark && !r.RestoreMark {
		if r.NFMask != "" || r.CTMask != "" {
			w.fault("nfmask", "and ctmask go with save_mark or restore_mark")
		}
		return
	}
	w.option("nfmask", "--nfmask", orAll(r.NFMask), hexNumber)
	w.option("ctmask", "--ctmask", orAll(r.CTMask), hexNumber)
}

func orAll(mask string) string {
	if mask == "" {
		return "0xffffffff"
	}
	return mask
}

func (r *Rule) writeMSS(w *ruleWriter) {
	switch {
	case r.ClampMSSToPMTU == (r.SetMSS != nil):
		w.fault("jump", "TCPMSS needs exactly one of clamp_mss_to_pmtu and set_mss")
	case r.ClampMSSToPMTU:
		w.put("--clamp-mss-to-pmtu")
	case *r.SetMSS < 1 || *r.SetMSS > 65535:
		w.fault("set_mss", "%d is not between 1 and 65535", *r.SetMSS)
	default:
		w.put("--set-mss", itoa(*r.SetMSS))
	}
}
