package transport

import (
	"net/netip"
	"strings"
)

// KnownName is the name under which known_hosts gets the key of t when it is
// new: HostKeyAlias, host or [host]:port; for a private address behind a jump
// host, which means another machine in every network, the way there and the
// inventory name.
func (t *Target) KnownName() string {
	if name := privateName(t); name != "" {
		return name
	}
	if t.HostKeyAlias != "" {
		return strings.ToLower(t.HostKeyAlias)
	}
	return knownName(strings.ToLower(bareHost(t.Address)), t.port())
}

// privateName is labctl:JUMP/NAME for a host with a private address behind a
// jump host (of which JUMP is the known name, NAME the inventory name), else
// empty. The prefix keeps it apart from names that can be dialled.
func privateName(t *Target) string {
	if t.Via == nil || t.HostKeyAlias != "" || !isPrivate(t.Address) {
		return ""
	}
	via := strings.TrimPrefix(t.Via.KnownName(), "labctl:")
	via = strings.NewReplacer("[", "", "]", "").Replace(via)
	return strings.ToLower("labctl:" + via + "/" + t.Name)
}

// isPrivate reports whether address is one of RFC 1918, RFC 4193 (fc00::/7) or
// link-local. Loopback is not: what is forwarded to it has its port.
func isPrivate(address string) bool {
	a, err := netip.ParseAddr(bareHost(address))
	return err == nil && (a.IsPrivate() || a.IsLinkLocalUnicast())
}

// RecordedNames looks up under which names known_hosts has the keys of hosts.
type RecordedNames struct{ store knownStore }

// Of is KnownName, but for a private address that has lines of its own in known_hosts and none under that name.
func (r *RecordedNames) Of(t *Target) (string, error) {
	name := privateName(t)
	if name == "" || len(t.HostKeys)+len(t.HostCAs) > 0 {
		return t.KnownName(), nil
	}
	address := knownName(strings.ToLower(bareHost(t.Address)), t.port())
	for _, n := range []string{name, address} {
		if known, err := r.store.lookup(knownFiles(t), n); err != nil || len(known) > 0 {
			return n, err
		}
	}
	return name, nil
}
