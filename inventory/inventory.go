// Package inventory is the machines of a site: hosts, groups, networks, how to reach them, their variables, and the
// patterns that pick among them. It decodes HCL blocks that others have read; it knows nothing of plays, of modules or of
// how a connection is made.
package inventory

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Inventory is all that is known of a site's machines. It is not changed after Decode.
type Inventory struct {
	Hosts    []*Host    // in the order of their declaration, without the implicit localhost
	Groups   []*Group   // the same; "all" only if declared
	Networks []*Network // the same
	Tunnels  []*Tunnel  // the same
	SSH      SSH        // defaults for every host and hop
	Kernel   Kernel     // what hosts of the sandbox get that say nothing themselves

	hosts     map[string]*Host
	groups    map[string]*Group
	networks  map[string]*Network
	localhost *Host
	asFound   []*Host // Hosts, before groups have ordered them

	// for ExplainSSH
	sshArgs       hcl.Attributes
	sshRange      hcl.Range
	over          map[string]cty.Value
	login         SSH
	noDefaultJump map[*Host]bool
}

// The kinds of connection to a host.
const (
	ConnectSSH   = "ssh"
	ConnectLocal = "local"
)

// SSH is how to log in. The zero value of a field means: not said here, look at the group, at the ssh block, and then
// (the caller does) at ssh_config(5).
type SSH struct {
	User           string
	Port           int
	IdentityFiles  []string // paths; relative ones are made relative to the file that names them; ~/ is left alone
	IdentitiesOnly bool
	IdentityAgent  string // socket of the ssh-agent, or "none"
	KnownHosts     []string
	HostKeyPolicy  string // "strict", "ask", "accept-new" or "off"
	HostKeyAlias   string
	HostKeys       []string // keys or fingerprints that the host may have, in place of known_hosts
	HostCAs        []string // keys of authorities that may certify it
	Certificates   []string // files, for the identities
	Password       Secret   // for the login
	Options        []string // as ssh -o takes them: "Keyword=value"
	ConfigFile     string   // ssh_config(5) file to look the host up in, in place of the user's
	ConfigHost     string   // what to look up there; "": the address
	ProxyCommand   string   // with its tokens
	ControlPath    string
	Relay          bool          // what is behind this host is reached by a program that runs on it, not by forwarding
	Persist        time.Duration // how long connections stay after their last use; PersistNot, PersistForever
	ConnectTimeout time.Duration
	Connection     string // ConnectSSH or ConnectLocal
	Jump           []Jump // visited from left to right; nil: not said, empty: none

	Become         *bool  // nil: as the play has it
	BecomeUser     string // in place of the play's
	BecomeMethod   string // "sudo", "doas" or "su"
	BecomePassword Secret
	BecomeFlags    []string
}

// BecomeMethods are the programs by which another user is become.
var BecomeMethods = []string{"sudo", "doas", "su"}

// Jump names one hop as the user wrote it: an inventory name, or [user@]host[:port].
type Jump struct {
	Text  string
	Range hcl.Range
}

// Host is one machine, with what its groups and the ssh block give it merged in.
type Host struct {
	Name    string
	Address string // as seen from the last hop; the name if not given
	SSH
	NICs      []NIC
	Kernel    Kernel               // in the sandbox
	Vars      map[string]cty.Value // merged; see Inventory.Explain for where each comes from
	Groups    []string             // sorted, all levels, without "all"
	DeclRange hcl.Range
	Implicit  bool // the localhost that nobody declared
	Added     bool // by a task of the run

	own    map[string]cty.Value // of the host itself
	layers []Layer              // the same, each place by itself, what wins last

	// for ExplainSSH
	args    hcl.Attributes
	said    *connection // by its block
	foundIn []*FoundHost
}

// NIC is a network interface that the inventory knows of.
type NIC struct {
	Name      string
	Network   string         // name of a network block, or ""
	Addresses []netip.Prefix // address with prefix length
	MAC       string
	MTU       int // bytes; 0: not given
	DeclRange hcl.Range
}

// Group is a named set of hosts.
type Group struct {
	Name      string
	Hosts     []string // all levels, each once, in the order given
	Children  []string
	Vars      map[string]cty.Value // own variables
	SSH       SSH
	DeclRange hcl.Range

	args     hcl.Attributes
	direct   []reference
	depth    int // longest way down from a group that has no parent
	priority int // among groups of one depth
	layers   []Layer
	found    bool // by a source; no block declares it
}

// Network is a wire that NICs are plugged into, for the sandbox and the picture.
type Network struct {
	Name      string
	CIDR      []netip.Prefix
	MTU       int
	DeclRange hcl.Range
}

// Host returns the host called name, or nil. "localhost" is always there.
func (inv *Inventory) Host(name string) *Host {
	if h := inv.hosts[name]; h != nil {
		return h
	}
	if name == "localhost" {
		return inv.localhost
	}
	return nil
}

// Group returns the group called name, or nil.
func (inv *Inventory) Group(name string) *Group { return inv.groups[name] }

// Network returns the network called name, or nil.
func (inv *Inventory) Network(name string) *Network { return inv.networks[name] }

// Declared returns the names of the variables that the host's block declares, sorted.
func (h *Host) Declared() []string { return declared(h.layers) }

// Declared returns the names of the variables that the group's block declares, sorted.
func (g *Group) Declared() []string { return declared(g.layers) }

// NIC returns the interface called name, or nil.
func (h *Host) NIC(name string) *NIC {
	for i := range h.NICs {
		if h.NICs[i].Name == name {
			return &h.NICs[i]
		}
	}
	return nil
}

// fill takes from the more general settings what s leaves unset.
func (s *SSH) fill(from SSH) {
	fill(&s.User, from.User)
	fill(&s.Port, from.Port)
	fill(&s.IdentitiesOnly, from.IdentitiesOnly)
	fill(&s.IdentityAgent, from.IdentityAgent)
	fill(&s.HostKeyPolicy, from.HostKeyPolicy)
	fill(&s.HostKeyAlias, from.HostKeyAlias)
	fill(&s.ConnectTimeout, from.ConnectTimeout)
	fill(&s.Connection, from.Connection)
	fill(&s.Password, from.Password)
	fill(&s.ProxyCommand, from.ProxyCommand)
	fill(&s.ControlPath, from.ControlPath)
	fill(&s.Relay, from.Relay)
	fill(&s.Persist, from.Persist)
	fill(&s.ConfigFile, from.ConfigFile)
	fill(&s.ConfigHost, from.ConfigHost)
	fill(&s.Become, from.Become)
	fill(&s.BecomeUser, from.BecomeUser)
	fill(&s.BecomeMethod, from.BecomeMethod)
	fill(&s.BecomePassword, from.BecomePassword)
	fillList(&s.HostKeys, from.HostKeys)
	fillList(&s.HostCAs, from.HostCAs)
	fillList(&s.Certificates, from.Certificates)
	fillList(&s.BecomeFlags, from.BecomeFlags)
	s.Options = append(slices.Clip(s.Options), from.Options...) // the first of a keyword counts
	fillList(&s.IdentityFiles, from.IdentityFiles)
	fillList(&s.KnownHosts, from.KnownHosts)
	if s.Jump == nil {
		s.Jump = from.Jump
	}
}

func fillList(to *[]string, from []string) {
	if *to == nil {
		*to = from
	}
}

func fill[T comparable](to *T, from T) {
	var zero T
	if *to == zero {
		*to = from
	}
}
