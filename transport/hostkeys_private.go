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
