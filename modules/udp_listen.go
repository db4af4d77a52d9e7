package modules

import (
	"context"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[UDPListen]{
		Name:     "udp_listen",
		Doc:      "Checks that a UDP socket listens on a port. Those that the kernel itself holds, as for VXLAN, count.",
		Example:  "udp_listen \"4789\" {}\n",
		Validate: (*UDPListen).validate, Probe: probeUDPListen,
	})
}

// UDPListen is a socket that is expected.
type UDPListen struct {
	Port    string  `json:"port" lab:"key" doc:"Port number."`
	Address *string `json:"address,omitempty" doc:"Address that the socket is bound to, 0.0.0.0 or :: for all; any if unset."`
	Presence
}

func (u *UDPListen) validate() error {
	if p, err := strconv.Atoi(u.Port); err != nil || p < 1 || p > 65535 {
		return argf("port", "%q is not a port number", u.Port)
	}
	return firstFault(u.Presence.validate(), validIP("address", u.Address))
}

func probeUDPListen(ctx context.Context, h host.Host, want *UDPListen) (*UDPListen, error) {
	near, err := want.find(ctx, "UDP socket on port "+want.Port, want, func() (found []any, why string, err error) {
		n, err := want.net(ctx, h)
		if err != nil {
			return nil, "", err
		}
		for _, file := range []string{"udp", "udp6"} {
			text, err := n.Probes().Proc(ctx, file)
			if err != nil {
				return nil, "", err
			}
			for _, a := range listening(text, want.Port, udpListen) {
				found = append(found, &UDPListen{Port: want.Port, Address: &a, Presence: want.Presence})
			}
		}
		return found, "", nil
	})
	return near.(*UDPListen), err
}

// The states of sockets that wait for whoever comes, in /proc/net/udp and /proc/net/tcp.
const udpListen, tcpListen = "07", "0A"

// listening returns the addresses of sockets in a file of /proc/net that are bound to port, and in that state (proc_net(5)).
func listening(text, port, state string) (out []string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != state {
			continue
		}
		a, p, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(p, 16, 16); err == nil && strconv.Itoa(int(n)) == port {
			out = append(out, hexAddress(a))
		}
	}
	return out
}
