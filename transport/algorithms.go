package transport

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// algorithms sets what of the target's lists golang.org/x/crypto/ssh knows. It does not know UMAC, sntrup761 and a few more,
// which ssh_config may well name beside others.
func (t *Target) algorithms(c *ssh.Config) error {
	for _, l := range []struct {
		keyword string
		wanted  []string
		to      *[]string
	}{
		{"KexAlgorithms", t.KexAlgorithms, &c.KeyExchanges}, {"Ciphers", t.Ciphers, &c.Ciphers}, {"MACs", t.MACs, &c.MACs},
	} {
		if l.wanted == nil {
			continue
		}
		known := knownAlgorithms(l.keyword)
		for _, name := range l.wanted {
			if slices.Contains(known, name) && !slices.Contains(*l.to, name) {
				*l.to = append(*l.to, name)
			}
		}
		if *l.to == nil {
			return fmt.Errorf("%s leaves nothing that labctl can do: it names %s; there are %s", l.keyword, strings.Join(l.wanted, ", "), strings.Join(known, ", "))
		}
	}
	return nil
}

// knownAlgorithms are those that x/crypto has, by the keyword of ssh_config(5), the good ones first.
func knownAlgorithms(keyword string) []string {
	safe, weak := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	return map[string][]string{
		"KexAlgorithms":     slices.Concat(safe.KeyExchanges, weak.KeyExchanges),
		"HostKeyAlgorithms": slices.Concat(safe.HostKeys, weak.HostKeys),
		"Ciphers":           slices.Concat(safe.Ciphers, weak.Ciphers),
		"MACs":              slices.Concat(safe.MACs, weak.MACs),
	}[keyword]
}

// negotiated are what ssh_config(5) calls the lists that x/crypto may find nothing in common in.
var negotiated = map[string]string{
	"key exchange": "KexAlgorithms", "host key": "HostKeyAlgorithms",
	"client to server cipher": "Ciphers", "server to client cipher": "Ciphers",
	"client to server MAC": "MACs", "server to client MAC": "MACs",
}

// noCommonHint says what a server offers that labctl could do but does not offer by itself.
func noCommonHint(err error) string {
	var no *ssh.AlgorithmNegotiationError
	if !errors.As(err, &no) {
		return ""
	}
	keyword := negotiated[no.What]
	known := knownAlgorithms(keyword)
	both := slices.DeleteFunc(slices.Clone(no.RequestedAlgorithms), func(name string) bool { return !slices.Contains(known, name) })
	switch {
	case keyword == "":
		return "client and server share no algorithm: the server is too old, or too restricted"
	case len(both) == 0:
		return fmt.Sprintf("the server is too old, or too restricted: labctl can do none of what it offers for %s; another way is an OpenSSH master (control_path)", keyword)
	case keyword == "HostKeyAlgorithms":
		return fmt.Sprintf("the server has other host keys (%s) than are known or allowed: see HostKeyAlgorithms and known_hosts", strings.Join(both, ", "))
	}
	return fmt.Sprintf("the server is old, or restricted: both can do %s, which is not offered by itself; allow it for this host with options = [%q]",
		strings.Join(both, ", "), keyword+"=+"+both[0])
}
