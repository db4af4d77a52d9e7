package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Topology is what Up brings about. It is plain data, and two equal topologies need no work.
type Topology struct {
	Name     string   `json:"name"`               // of the sandbox: letters, digits, dot, dash, underscore
	Networks []string `json:"networks,omitempty"` // wires; those that a NIC names are added by themselves
	Hosts    []Host   `json:"hosts"`
}

// Host is one machine to be.
type Host struct {
	Name    string   `json:"name"`              // also its hostname
	Address string   `json:"address,omitempty"` // what a client dials: an address, a name, or empty for one of 198.18.0.0/15
	Port    int      `json:"port,omitempty"`    // of its sshd; 0 means 22
	User    string   `json:"user,omitempty"`    // the login user, who may sudo; empty means root
	Jump    []string `json:"jump,omitempty"`    // names of hosts, outermost first; none: entered from this computer
	NICs    []NIC    `json:"nics,omitempty"`

	// Kernel is KernelShared, KernelGuest, or empty: a guest if this computer's kernel lacks one of KernelModules.
	Kernel        string   `json:"kernel,omitempty"`
	KernelModules []string `json:"kernel_modules,omitempty"`
}

// The kernels that a host may have.
const (
	KernelShared = "shared" // this computer's; the host is a set of namespaces
	KernelGuest  = "guest"  // its own; the host is a User-mode Linux
)

// guest reports whether the host has a kernel of its own.
func (h Host) guest() bool { return h.Kernel == KernelGuest }

// NIC is one declared interface of a host.
type NIC struct {
	Name      string   `json:"name"`
	Network   string   `json:"network,omitempty"`   // empty: a wire with nobody at the other end
	MAC       string   `json:"mac,omitempty"`       // empty: derived from the names, so always the same
	MTU       int      `json:"mtu,omitempty"`       // 0 means 1500
	Addresses []string `json:"addresses,omitempty"` // CIDR, IPv4 and IPv6
}

var (
	validName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$`)
	validUser   = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	validModule = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`)
	validLink   = regexp.MustCompile(`^[^/:\s]{1,15}$`)
)

// Validate reports every fault of the topology at once, joined.
func (t Topology) Validate() error {
	var faults []error
	if !validName.MatchString(t.Name) {
		faults = append(faults, fmt.Errorf("sandbox name %q: want letters, digits, dots, dashes and underscores, at most 60", t.Name))
	}
	hosts := map[string]Host{}
	for _, h := range t.Hosts {
		if _, twice := hosts[h.Name]; twice {
			faults = append(faults, fmt.Errorf("host %q is declared twice", h.Name))
		}
		hosts[h.Name] = h
	}
	for _, h := range t.Hosts {
		for _, fault := range append(h.faults(), h.jumpFaults(hosts)...) {
			faults = append(faults, fmt.Errorf("host %q: %w", h.Name, fault))
		}
	}
	return errors.Join(faults...)
}

func (h Host) faults() (faults []error) {
	if h.Name == "" || len(h.Name) > 64 || strings.ContainsAny(h.Name, "/ \t\r\n\"'*?!,#") {
		faults = append(faults, errors.New("the name cannot be a hostname"))
	}
	if strings.ContainsAny(h.Address, " \t\r\n/\"#") {
		faults = append(faults, fmt.Errorf("malformed address %q", h.Address))
	}
	if h.Port < 0 || h.Port > 65535 {
		faults = append(faults, fmt.Errorf("port %d is out of range", h.Port))
	}
	if !slices.Contains([]string{"", KernelShared, KernelGuest}, h.Kernel) {
		faults = append(faults, fmt.Errorf("kernel %q is neither %q nor %q", h.Kernel, KernelShared, KernelGuest))
	}
	for _, m := range h.KernelModules {
		if !validModule.MatchString(m) {
			faults = append(faults, fmt.Errorf("malformed kernel module name %q", m))
		}
	}
	if h.User != "" && !validUser.MatchString(h.User) {
		faults = append(faults, fmt.Errorf("malformed user name %q", h.User))
	}
	seen := map[string]bool{}
	for _, n := range h.NICs {
		if seen[n.Name] {
			faults = append(faults, fmt.Errorf("nic %q is declared twice", n.Name))
		}
		seen[n.Name] = true
		for _, fault := range n.faults() {
			faults = append(faults, fmt.Errorf("nic %q: %w", n.Name, fault))
		}
	}
	return faults
}

func (n NIC) faults() (faults []error) {
	if !validLink.MatchString(n.Name) || slices.Contains([]string{".", "..", "lo", "all", "default"}, n.Name) {
		faults = append(faults, errors.New("not an interface name (1 to 15 characters, no slash, colon or space, not lo)"))
	}
	if n.MTU != 0 && (n.MTU < 68 || n.MTU > 65535) {
		faults = append(faults, fmt.Errorf("mtu %d is out of range 68 to 65535", n.MTU))
	}
	if mac, err := net.ParseMAC(n.MAC); n.MAC != "" && (err != nil || len(mac) != 6) {
		faults = append(faults, fmt.Errorf("malformed mac %q", n.MAC))
	}
	for _, a := range n.Addresses {
		if _, err := netip.ParsePrefix(a); err != nil {
			faults = append(faults, fmt.Errorf("malformed address %q: want ADDRESS/LENGTH", a))
		}
	}
	return faults
}

// jumpFaults checks that the way to h begins on this computer and never turns back on itself.
func (h Host) jumpFaults(hosts map[string]Host) (faults []error) {
	for _, j := range h.Jump {
		if _, ok := hosts[j]; !ok {
			faults = append(faults, fmt.Errorf("jump host %q is not in the topology", j))
		}
	}
	if len(faults) > 0 {
		return faults
	}
	seen := map[string]bool{h.Name: true}
	for way := h.Jump; len(way) > 0; way = hosts[way[0]].Jump {
		for _, j := range slices.Backward(way) {
			if seen[j] {
				return []error{fmt.Errorf("its jump hosts go in a circle through %q", j)}
			}
			seen[j] = true
		}
	}
	return nil
}

// login is the user that sshd lets in.
func (h Host) login() string {
	if h.User == "" {
		return "root"
	}
	return h.User
}

// sshPort is the port that sshd listens on.
func (h Host) sshPort() int {
	if h.Port == 0 {
		return 22
	}
	return h.Port
}
