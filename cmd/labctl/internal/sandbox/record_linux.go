package sandbox

import (
	"net/netip"
	"path/filepath"
	"strings"

	"labctl/cmd/labctl/internal/wholefile"
)

// record writes what clients read: state and known hosts.
func (s *supervisor) record(t Topology, machines []machine) error {
	state := &State{Name: s.name, Dir: s.dir, Supervisor: self(), Topology: t, Allocated: s.allocated}
	var known strings.Builder
	for _, m := range machines {
		h, err := s.hostState(m)
		if err != nil {
			return err
		}
		line, err := knownHostsLine(h)
		if err != nil {
			return err
		}
		known.WriteString(line + "\n")
		state.Hosts = append(state.Hosts, h)
	}
	if err := wholefile.Write(wholefile.File{Path: filepath.Join(s.dir, knownHosts), Content: []byte(known.String()), Private: true}); err != nil {
		return err
	}
	return state.save()
}

func (s *supervisor) hostState(m machine) (HostState, error) {
	public, err := publicHalf([]byte(s.keys.hosts[m.Name]))
	if err != nil {
		return HostState{}, err
	}
	h := HostState{Name: m.Name, Address: m.Address, IP: m.IP, Port: m.sshPort(), User: m.login(), Jump: m.Jump,
		IdentityFile: filepath.Join(s.dir, identity), KnownHosts: filepath.Join(s.dir, knownHosts), HostKey: public}
	if ip, err := netip.ParseAddr(m.Address); m.Address == "" || m.Address == "localhost" || err == nil && ip.Unmap() != m.IP {
		h.Address = m.IP.String() // loopback and the like: the host has another one
	}
	if h.Kernel = KernelShared; m.guest() {
		h.Kernel, h.Release = KernelGuest, guestRelease(s.base)
	}
	if r := s.hosts[m.Name]; r != nil {
		h.InitPID, h.InitStart, h.NetNS = r.PID, r.Start, netnsPath(r.PID)
	}
	if r := s.relays[m.Name]; r != nil {
		h.Entry = r.listener.Addr().String()
	}
	return h, nil
}
