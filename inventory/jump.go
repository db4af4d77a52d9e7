package inventory

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Hop is one stop on the way to a host.
type Hop struct {
	Host    *Host // nil when the hop was given as user@host:port
	User    string
	Address string
	Port    int // 0: not given
}

// Name is what messages call the hop.
func (h Hop) Name() string {
	if h.Host != nil {
		return h.Host.Name
	}
	return h.Address
}

// Chain returns the hops before h, the first to be connected first: the jumps of h from left to right, and before the first
// of them its own. (For the later ones the list replaces their own, as ssh(1) does with -J.) To a host at a tunnel it is the
// tunnel's host.
func (inv *Inventory) Chain(h *Host) ([]Hop, error) { return inv.chain(h, []string{h.Name}) }

func (inv *Inventory) chain(h *Host, path []string) ([]Hop, error) {
	if t := inv.Tunnel(h); t != nil {
		return inv.chainOf([]Jump{t.Host}, path)
	}
	return inv.chainOf(h.Jump, path)
}

func (inv *Inventory) chainOf(jumps []Jump, path []string) ([]Hop, error) {
	var out []Hop
	for i, j := range jumps {
		hop, err := inv.hop(j)
		if err != nil {
			return nil, err
		}
		if slices.Contains(path, hop.Name()) && hop.Host != nil {
			return nil, &loopError{append(path[slices.Index(path, hop.Name()):], hop.Name())}
		}
		if i == 0 && hop.Host != nil {
			before, err := inv.chain(hop.Host, append(path, hop.Host.Name))
			if err != nil {
				return nil, err
			}
			out = append(out, before...)
			hop.Address, hop.Port = inv.Place(hop.Host)
		}
		out = append(out, hop)
	}
	return out, nil
}

// Behind returns the names of the hosts that are reached through h, in the order of their declaration.
func (inv *Inventory) Behind(h *Host) []string {
	var out []string
	for _, other := range inv.Hosts {
		hops, err := inv.Chain(other)
		if err == nil && slices.ContainsFunc(hops, func(hop Hop) bool { return hop.Host == h }) {
			out = append(out, other.Name)
		}
	}
	return out
}

// hop resolves one name. What is not in the inventory must look like an address, lest a typing error be taken for one.
func (inv *Inventory) hop(j Jump) (Hop, error) {
	if h := inv.Host(j.Text); h != nil && !h.Implicit {
		return Hop{Host: h, User: h.User, Address: h.Address, Port: h.Port}, nil
	}
	hop, ok := parseHop(j.Text)
	if !ok {
		return hop, fmt.Errorf("%q is neither a host of the inventory nor user@host:port", j.Text)
	}
	if !strings.ContainsAny(j.Text, "@:.") {
		return hop, fmt.Errorf("no host %q is declared to jump through.%s To use an address as it is, write user@%s",
			j.Text, DidYouMean(j.Text, inv.hostNames()), j.Text)
	}
	return hop, nil
}

// parseHop reads [user@]host[:port], with an IPv6 address bare or in brackets, and ssh://.
func parseHop(s string) (Hop, bool) {
	var h Hop
	s = strings.TrimSuffix(strings.TrimPrefix(s, "ssh://"), "/")
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		h.User, s = s[:i], s[i+1:]
		if h.User == "" {
			return h, false
		}
	}
	host, port := s, ""
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return h, false
		}
		host, port = s[1:end], strings.TrimPrefix(s[end+1:], ":")
	case strings.Count(s, ":") == 1:
		host, port, _ = strings.Cut(s, ":")
		if port == "" {
			return h, false
		}
	}
	h.Address = host
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return h, false
		}
		h.Port = int(n)
	}
	return h, validHost(host)
}

// validHost refuses what a shell or ssh(1) could take for something else.
func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return s != "" && s[0] != '-' && !strings.ContainsAny(s, " \t\r\n'`\"$\\;&<>|(){},:/@[]")
}

// loopError says that a way to a host leads through itself.
type loopError struct{ path []string }

func (e *loopError) Error() string { return "jump loop: " + arrows(e.path) }

// checkJumps resolves every host's way once, so that its faults show before anything is connected. A loop is told once, and
// so is a fault in what many hosts share.
func (d *decoder) checkJumps() {
	told := map[string]bool{}
	for _, h := range d.inv.Hosts {
		if len(h.Jump) == 0 {
			continue
		}
		_, err := d.inv.Chain(h)
		if err == nil {
			continue
		}
		key := h.Jump[0].Range.String()
		var loop *loopError
		if errors.As(err, &loop) {
			members := slices.Clone(loop.path[1:])
			slices.Sort(members)
			key = strings.Join(members, " ")
		}
		if !told[key] {
			told[key] = true
			d.fault(h.Jump[0].Range, "Wrong jump", "%s.", sentence(err.Error()))
		}
	}
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func arrows(path []string) string { return strings.Join(path, " -> ") }
