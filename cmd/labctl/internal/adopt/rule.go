package adopt

import (
	"encoding/json"
	"slices"
	"strings"

	"labctl/modules/host"
	"labctl/modules/iptables"
)

// options are the options of iptables-save by the arguments that write them.
var options = map[string]string{
	"-s": "source", "-d": "destination", "-i": "in_interface", "-o": "out_interface", "-p": "protocol", "--sport": "source_port", "--dport": "destination_port",
	"--sports": "source_ports", "--dports": "destination_ports", "--ports": "ports", "--icmp-type": "icmp_type", "--icmpv6-type": "icmp_type",
	"--ctstate": "ctstate", "--ctstatus": "ctstatus", "--state": "state", "--mark": "mark", "--src-type": "src_type", "--dst-type": "dst_type",
	"--src-range": "src_range", "--dst-range": "dst_range", "--mac-source": "mac_source", "--physdev-in": "physdev_in", "--physdev-out": "physdev_out",
	"--uid-owner": "uid_owner", "--gid-owner": "gid_owner", "--limit": "limit", "--limit-burst": "limit_burst", "--comment": "comment",
	"-j": "jump", "-g": "goto", "--to-source": "to_source", "--to-destination": "to_destination", "--to-ports": "to_ports", "--log-prefix": "log_prefix",
	"--log-level": "log_level", "--reject-with": "reject_with", "--set-xmark": "set_xmark", "--set-mss": "set_mss", "--nfmask": "nfmask", "--ctmask": "ctmask",
}

var flags = map[string]string{"--random": "random", "--random-fully": "random_fully", "--persistent": "persistent", "--clamp-mss-to-pmtu": "clamp_mss_to_pmtu",
	"--notrack": "notrack", "--checksum-fill": "checksum_fill", "--save-mark": "save_mark", "--restore-mark": "restore_mark", "--log-tcp-sequence": "log_tcp_sequence",
	"--log-tcp-options": "log_tcp_options", "--log-ip-options": "log_ip_options", "--log-uid": "log_uid"}

var (
	lists   = []string{"source_ports", "destination_ports", "ports", "ctstate", "ctstatus", "state"}
	numbers = []string{"limit_burst", "set_mss"}
)

// ruleArgs returns the arguments that iptables-save prints as text. What they cannot say goes into the argument arguments, word
// by word.
func ruleArgs(text, chain, table, family string) map[string]any {
	words := split(text)
	if args, ok := parse(words); ok && writes(args, text, chain, table, family) {
		return args
	}
	return map[string]any{"arguments": words}
}

func parse(words []string) (map[string]any, bool) {
	args := map[string]any{}
	match := ""
	for i := 0; i < len(words); i++ {
		not := ""
		if words[i] == "!" {
			not = "! "
			i++
		}
		if i >= len(words) {
			return nil, false
		}
		if name, ok := flags[words[i]]; ok && not == "" {
			args[name] = true
			continue
		}
		if words[i] == "--syn" {
			args["syn"] = not == ""
			continue
		}
		n, ok := argument(args, words[i:], match, not)
		if !ok {
			return nil, false
		}
		if words[i] == "-m" {
			match = words[i+1]
		}
		i += n
	}
	return args, true
}

// argument reads one option with its values, and returns how many there are.
func argument(args map[string]any, words []string, match, not string) (int, bool) {
	if len(words) < 2 {
		return 0, false
	}
	name, value := options[words[0]], words[1]
	switch {
	case words[0] == "-m" && not == "":
		return 1, true // follows from what comes
	case words[0] == "--tcp-flags" && len(words) > 2 && not == "":
		args["tcp_flags"] = map[string]any{"mask": strings.Split(value, ","), "comp": strings.Split(words[2], ",")}
		return 2, true
	case words[0] == "--match-set" && len(words) > 2:
		args["match_set"] = not + value + " " + words[2]
		return 2, true
	case name == "":
		return 0, false
	case name == "mark" && match == "connmark":
		name = "connmark"
	case slices.Contains(numbers, name):
		n, ok := atoi(value)
		args[name] = n
		return 1, ok && not == ""
	}
	if slices.Contains(lists, name) {
		args[name] = strings.Split(not+value, ",")
		return 1, true
	}
	args[name] = not + value
	return 1, true
}

// writes reports whether the arguments are written as text, which they are no good for otherwise.
func writes(args map[string]any, text, chain, table, family string) bool {
	raw, err := json.Marshal(args)
	if err != nil {
		return false
	}
	var r iptables.Rule
	if json.Unmarshal(raw, &r) != nil {
		return false
	}
	p := iptables.Place{Family: host.IPv4, Table: table, Chain: chain}
	if family == "ipv6" {
		p.Family = host.IPv6
	}
	lines, err := r.Lines(p)
	return err == nil && len(lines) == 1 && lines[0] == text
}

// split takes a line of iptables-save apart, as iptables-restore does: double quotes hold blanks, a backslash the next character.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quoted, any := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == '"':
			quoted, any = !quoted, true
		case c == ' ' && !quoted:
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteByte(c)
			any = true
		}
	}
	if any {
		words = append(words, word.String())
	}
	return words
}
