// Package host is a machine as plain data (links, addresses, routes, sysctls, netfilter, files, ...) and one small
// interface per subsystem to read and change it. It has two implementations: agent/linux is the real kernel, package
// memory the same in memory. It knows nothing of modules, of how a kernel is asked, or of how the data travels; standard
// library only.
//
// The rules that hold for every interface here:
//   - Reads never change the host and return what is configured, not what happens to be operating.
//   - Writes send only what the caller set: a nil field is left alone.
//   - Errors from the kernel are *Error and match ErrNotExist, ErrExist, ErrBusy, ErrPermission with errors.Is.
//   - Every method may be called from any goroutine, but calls are not ordered among goroutines.
package host

import "context"

// OwnNetNS is the reference by which links in another namespace name the host's own one; Host.Net takes it as "".
const OwnNetNS = "/proc/self/ns/net"

// Host is one machine.
type Host interface {
	// Net returns the network namespace that ref names: "" is the host's own, otherwise a name under /run/netns,
	// "pid:N", "container:NAME" or an absolute path. ErrNoNetNS when it does not exist. The same namespace under two
	// references is one namespace.
	Net(ctx context.Context, ref string) (Net, error)
	// NetNS manages named network namespaces, as ip-netns(8).
	NetNS() NetNSs
	// OVS is the Open vSwitch that serves the host's own namespace.
	OVS() OVS
	Files() Files
	Commands() Commands
	Accounts() Accounts
	Containers() Containers
	Processes() Processes
	Packages() Packages
	Services() Services
	KernelModules() KernelModules
	// Facts gathers what is worth knowing about the machine before a play.
	Facts(ctx context.Context) (Facts, error)
}

// Net is one network namespace.
type Net interface {
	Links() Links
	Addrs() Addrs
	Routes() Routes
	Rules() Rules
	Neighs() Neighs
	Qdiscs() Qdiscs
	Sysctls() Sysctls
	Netfilter() Netfilter
	NFTables() NFTables
	IPSets() IPSets
	WireGuards() WireGuards
	Probes() Probes
}

// NetNSs manages the named namespaces under /run/netns.
type NetNSs interface {
	List(ctx context.Context) ([]string, error)
	// Create makes a namespace as `ip netns add` does, with lo down. ErrExist if it is there.
	Create(ctx context.Context, name string) error
	// Delete removes the name and, when nobody else holds it, the namespace with all its devices. ErrNotExist.
	Delete(ctx context.Context, name string) error
}

// Identifier is implemented by namespaces that can tell whether two references mean the same one.
type Identifier interface {
	ID() string // equal exactly when the namespace is the same
}

// planner is implemented by hosts that only pretend to change.
type planner interface{ Planning() bool }

// Planning reports whether h is a model on which calls are planned: commands and probes are not executed there.
func Planning(h Host) bool {
	p, ok := h.(planner)
	return ok && p.Planning()
}

// Knower is implemented by hosts that can tell why their kernel has no kind of device (what is "link") or of queueing
// discipline ("qdisc"); nil when it has, or when that cannot be told.
type Knower interface {
	Knows(ctx context.Context, what, kind string) error
}

// Scratcher is implemented by hosts that can show what a network namespace looks like when it is just created: the
// defaults differ from host to host (net.core.devconf_inherit_init_net, built-in tunnel devices).
type Scratcher interface {
	Scratch(ctx context.Context) (Net, error)
}
