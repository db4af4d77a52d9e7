package host

// SnapshotVersion is raised when a snapshot written before can no longer be read.
const SnapshotVersion = 2

// Snapshot is a whole host as data: what labctl facts -o json writes and plan --against reads.
type Snapshot struct {
	Version    int                  `json:"version"`
	Name       string               `json:"name"` // inventory name
	Facts      Facts                `json:"facts"`
	NetNS      map[string]*NetState `json:"netns"`             // "" is the host's own, "container:NAME" that of a running container
	Scratch    *NetState            `json:"scratch,omitempty"` // a namespace just created
	Files      map[string]FileState `json:"files,omitempty"`   // those asked for
	OVS        *OVSState            `json:"ovs,omitempty"`     // where Open vSwitch runs
	Containers map[string]Container `json:"containers,omitempty"`
	Processes  map[string]Process   `json:"processes,omitempty"`
	Packages   map[string]string    `json:"packages,omitempty"` // versions by name
	Services   []Service            `json:"services,omitempty"`

	KernelModules []KernelModule `json:"kernel_modules,omitempty"` // those that are loaded
}

// NetState is one network namespace as data.
type NetState struct {
	Links     []Link             `json:"links"`
	Addrs     []Addr             `json:"addresses,omitempty"`
	Routes    []Route            `json:"routes,omitempty"` // all tables
	Rules     []Rule             `json:"rules,omitempty"`
	Neighs    []Neigh            `json:"neighbours,omitempty"` // those that somebody put there
	FDB       []FDBEntry         `json:"fdb,omitempty"`
	Qdiscs    []Qdisc            `json:"qdiscs,omitempty"`
	Sysctls   map[string]string  `json:"sysctls,omitempty"`
	Netfilter map[string][]Table `json:"netfilter,omitempty"` // "ipv4", "ipv6"
	NFTables  map[string]string  `json:"nftables,omitempty"`  // "inet filter", ...
	IPSets    []IPSet            `json:"ipsets,omitempty"`

	WireGuards map[string]WireGuard `json:"wireguard,omitempty"` // by device

	VLANs map[string][]BridgeVLAN `json:"vlans,omitempty"` // of bridges and their ports, by device
}

// FileState is a file with its content where it is small text.
type FileState struct {
	File
	Content *string `json:"content,omitempty"`
}

// Facts are what a playbook may ask of a host as facts.X, gathered once per session.
type Facts struct {
	Hostname     string               `json:"hostname"`
	OS           string               `json:"os"`                   // linux
	Distribution string               `json:"distribution"`         // ID of os-release(5)
	Version      string               `json:"distribution_version"` // VERSION_ID
	Kernel       string               `json:"kernel"`               // release
	Architecture string               `json:"architecture"`         // machine of uname(2): x86_64
	MachineID    string               `json:"machine_id,omitempty"`
	BootID       string               `json:"boot_id,omitempty"` // another one after each boot
	Processors   int                  `json:"processor_cores"`
	MemoryMB     int                  `json:"memory_mb"`
	User         string               `json:"user"` // the agent runs as
	Interfaces   map[string]Interface `json:"interfaces"`
	DefaultIPv4  *DefaultRoute        `json:"default_ipv4,omitempty"`
	DefaultIPv6  *DefaultRoute        `json:"default_ipv6,omitempty"`
	Env          map[string]string    `json:"env,omitempty"`
}

// Interface is a device as facts show it.
type Interface struct {
	Type       string   `json:"type"` // kind, "ether" or "loopback"
	MACAddress string   `json:"macaddress,omitempty"`
	MTU        int      `json:"mtu"`
	Up         bool     `json:"up"`
	IPv4       []string `json:"ipv4"` // CIDR
	IPv6       []string `json:"ipv6"`
}

// DefaultRoute tells how the host reaches the world.
type DefaultRoute struct {
	Address   string `json:"address"`
	Interface string `json:"interface"`
	Gateway   string `json:"gateway,omitempty"`
	MAC       string `json:"macaddress,omitempty"`
}
