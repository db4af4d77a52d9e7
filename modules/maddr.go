package modules

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[MAddr]{
		Name: "maddr",
		Doc:  "Checks which multicast groups a device has joined, as ip-maddress(8) lists them.",
		Example: `maddr "239.255.0.1" { dev = "enp0s8" }
maddr "01:00:5e:7f:00:01" { dev = "enp0s8" }
`,
		Validate: (*MAddr).validate, Probe: probeMAddr,
	})
}

// MAddr is a group that is expected.
type MAddr struct {
	Group string  `json:"group" lab:"key" doc:"IPv4, IPv6 or link layer address of the group."`
	Dev   *string `json:"dev,omitempty" doc:"Device that has joined it; any if unset."`
	Presence
}

func (m *MAddr) validate() error {
	if err := validLLAddr("group", &m.Group); err != nil && validIP("group", &m.Group) != nil {
		return argf("group", "%q is neither an IP nor a MAC address", m.Group)
	}
	return m.Presence.validate()
}

func probeMAddr(ctx context.Context, h host.Host, want *MAddr) (*MAddr, error) {
	near, err := want.find(ctx, "group "+want.Group, want, func() (found []any, why string, err error) {
		n, err := want.net(ctx, h)
		if err != nil {
			return nil, "", err
		}
		for _, file := range []string{"igmp", "igmp6", "dev_mcast"} {
			text, err := n.Probes().Proc(ctx, file)
			if err != nil {
				return nil, "", err
			}
			for _, g := range groups(file, text) {
				if g[1] == want.Group {
					found = append(found, &MAddr{Group: g[1], Dev: &g[0], Presence: want.Presence})
				}
			}
		}
		return found, "", nil
	})
	return near.(*MAddr), err
}

// groups reads a file of /proc/net: pairs of device and group (net/ipv4/igmp.c, net/ipv6/mcast.c, net/core/dev_addr_lists.c).
func groups(file, text string) (out [][2]string) {
	dev := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case file == "igmp" && len(f) > 2 && (f[2] == ":" || strings.HasSuffix(f[1], ":")):
			dev = strings.TrimSuffix(f[1], ":")
		case file == "igmp" && len(f) > 1 && line[0] == '\t' && hexAddress(f[0]) != "":
			out = append(out, [2]string{dev, hexAddress(f[0])})
		case file == "igmp6" && len(f) > 2:
			if b, err := hex.DecodeString(f[2]); err == nil && len(b) == 16 {
				out = append(out, [2]string{f[1], netip.AddrFrom16([16]byte(b)).String()})
			}
		case file == "dev_mcast" && len(f) > 4:
			if b, err := hex.DecodeString(f[4]); err == nil {
				out = append(out, [2]string{f[1], host.MAC(b)})
			}
		}
	}
	return out
}

// hexAddress reads an address that the kernel has printed as numbers of 32 bits in its own byte order; "" for none.
func hexAddress(s string) string {
	var b []byte
	for ; len(s) >= 8; s = s[8:] {
		v, err := strconv.ParseUint(s[:8], 16, 32)
		if err != nil {
			return ""
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	if a, ok := netip.AddrFromSlice(b); ok && s == "" {
		return a.String()
	}
	return ""
}
