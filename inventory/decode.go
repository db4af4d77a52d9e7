package inventory

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// BlockTypes are the top-level blocks that Decode and DecodeSources read.
var BlockTypes = []hcl.BlockHeaderSchema{
	{Type: "host", LabelNames: []string{"name"}},
	{Type: "group", LabelNames: []string{"name"}},
	{Type: "network", LabelNames: []string{"name"}},
	{Type: "tunnel", LabelNames: []string{"name"}},
	{Type: "ssh"},
	{Type: "sandbox"},
	{Type: "source", LabelNames: []string{"type"}}, // for DecodeSources
}

// Input is what an inventory is made of.
type Input struct {
	Blocks hcl.Blocks       // of BlockTypes; others are passed over
	Scope  *hcl.EvalContext // variables, locals and functions
	Found  []*Found         // what other sources know, in the order given
	List   []string         // hosts given by name on the command line: [user@]host[:port]

	Over  map[string]cty.Value // variables that go before all else: those of ConnectionVars count for every host
	Login SSH                  // what counts where nothing else is said
}

var sshAttributes = attributes("user", "port", "identity_file", "identities_only", "identity_agent", "known_hosts",
	"host_key_policy", "host_key", "host_ca", "certificate_file", "password", "options", "proxy_command", "control_path", "relay",
	"persist", "connect_timeout", "connection", "jump", "become_method", "become_password", "become_flags")

var (
	sshSchema     = &hcl.BodySchema{Attributes: sshAttributes}
	groupSchema   = &hcl.BodySchema{Attributes: append(attributes("hosts", "children", "vars"), sshAttributes...)}
	networkSchema = &hcl.BodySchema{Attributes: attributes("cidr", "mtu")}
	nicSchema     = &hcl.BodySchema{Attributes: attributes("network", "address", "mac", "mtu")}
	hostSchema    = &hcl.BodySchema{
		Attributes: slices.Concat(attributes("address", "vars", "groups", "host_key_alias"), sshAttributes, kernelAttributes),
		Blocks:     []hcl.BlockHeaderSchema{{Type: "nic", LabelNames: []string{"name"}}},
	}
)

func attributes(names ...string) []hcl.AttributeSchema {
	var out []hcl.AttributeSchema
	for _, n := range names {
		out = append(out, hcl.AttributeSchema{Name: n})
	}
	return out
}

// decoder builds an Inventory.
type decoder struct {
	reader
	inv       *Inventory
	hostRefs  map[*Host][]reference // groups that a host block names
	childRefs map[*Group][]reference
	sshRange  *hcl.Range

	sandboxRange *hcl.Range

	over         connection // of Input.Over
	foundAddress map[*Host]string
	foundSSH     map[*Host]SSH
	byGroup      map[*Host]bool // found by a source that orders them so
}

// reference is a name and where it was written.
type reference struct {
	name string
	rng  hcl.Range
}

// Decode builds the inventory, which is never nil, and reports everything that is wrong with it.
func Decode(in Input) (*Inventory, hcl.Diagnostics) {
	d := &decoder{
		reader: reader{ctx: in.Scope},
		inv: &Inventory{
			hosts: map[string]*Host{}, groups: map[string]*Group{}, networks: map[string]*Network{},
			localhost: &Host{Name: "localhost", Address: "localhost", SSH: SSH{Connection: ConnectLocal}, Implicit: true},
		},
		hostRefs: map[*Host][]reference{}, childRefs: map[*Group][]reference{},
		foundAddress: map[*Host]string{}, foundSSH: map[*Host]SSH{}, byGroup: map[*Host]bool{},
	}
	for _, b := range in.Blocks {
		d.block(b)
	}
	for _, f := range in.Found {
		d.found(f)
	}
	for _, s := range in.List {
		d.listed(s)
	}
	d.inv.login, d.inv.over = in.Login, in.Over
	d.over = said(in.Over, func(name string, err error) {
		d.fault(hcl.Range{}, "Wrong variable", "The variable %s: %s.", name, err)
	})
	d.membership()
	d.merge()
	d.checkNetworks()
	d.checkTunnels()
	d.checkJumps()
	return d.inv, d.diags
}

func (d *decoder) block(b *hcl.Block) {
	switch b.Type {
	case "ssh":
		d.ssh(b)
	case "sandbox":
		d.sandbox(b)
	case "host":
		d.host(b)
	case "group":
		d.group(b)
	case "network":
		d.network(b)
	case "tunnel":
		d.tunnel(b)
	}
}

func (d *decoder) ssh(b *hcl.Block) {
	if d.sshRange != nil {
		d.fault(b.DefRange, "Duplicate ssh block", "The defaults for SSH were given already at %s. Say all in one block.", d.sshRange)
	}
	d.sshRange = b.DefRange.Ptr()
	d.inv.sshRange, d.inv.sshArgs = b.DefRange, d.content(b, sshSchema).Attributes
	d.inv.SSH = d.settings(d.inv.sshArgs)
}

// settings reads the arguments that ssh, group and host blocks share.
func (d *decoder) settings(a hcl.Attributes) SSH {
	return SSH{
		User:           d.text(a["user"]),
		Port:           d.number(a["port"], 65535),
		IdentityFiles:  d.paths(a["identity_file"]),
		IdentitiesOnly: d.flag(a["identities_only"]),
		IdentityAgent:  d.text(a["identity_agent"]),
		KnownHosts:     d.paths(a["known_hosts"]),
		HostKeyPolicy:  d.oneOf(a["host_key_policy"], "strict", "ask", "accept-new", "off"),
		HostKeyAlias:   d.text(a["host_key_alias"]),
		ConnectTimeout: d.duration(a["connect_timeout"]),
		Connection:     d.oneOf(a["connection"], ConnectSSH, ConnectLocal),
		Jump:           d.jumps(a["jump"]),
		HostKeys:       d.texts(a["host_key"]),
		HostCAs:        d.texts(a["host_ca"]),
		Certificates:   d.paths(a["certificate_file"]),
		Password:       NewSecret(d.text(a["password"])),
		Options:        d.texts(a["options"]),
		ProxyCommand:   d.text(a["proxy_command"]),
		ControlPath:    d.text(a["control_path"]),
		Relay:          d.flag(a["relay"]),
		Persist:        d.persist(a["persist"]),
		BecomeMethod:   d.oneOf(a["become_method"], BecomeMethods...),
		BecomePassword: NewSecret(d.text(a["become_password"])),
		BecomeFlags:    d.texts(a["become_flags"]),
	}
}

func (d *decoder) jumps(a *hcl.Attribute) []Jump {
	names := d.texts(a)
	if names == nil {
		return nil
	}
	out := []Jump{}
	for _, n := range names {
		for _, part := range strings.Split(n, ",") {
			if part = strings.TrimSpace(part); part != "" && part != "none" {
				out = append(out, Jump{Text: part, Range: a.Expr.Range()})
			}
		}
	}
	return out
}

// named reports whether name may be declared at rng, given where it was before.
func (d *decoder) named(kind, name string, rng hcl.Range, before *hcl.Range) bool {
	if before != nil {
		d.fault(rng, "Duplicate "+kind, "A %s %q was declared already at %s.", kind, name, before)
		return false
	}
	if name == "" || strings.ContainsAny(name, " \t,:!&~*?@[]\x01/") || name[0] == '-' {
		d.fault(rng, "Wrong name", "%q cannot be the name of a %s. A name holds no white space and none of , : ! & ~ * ? @ [ ] / and does not begin with -.", name, kind)
		return false
	}
	return true
}

func (d *decoder) host(b *hcl.Block) {
	c := d.content(b, hostSchema)
	names, err := ExpandRange(b.Labels[0])
	if err != nil {
		d.fault(b.LabelRanges[0], "Wrong name", "The range in %q is wrong: %s.", b.Labels[0], err)
		return
	}
	proto := Host{
		Address: d.text(c.Attributes["address"]), SSH: d.settings(c.Attributes),
		layers: d.layers(c.Attributes["vars"], b.DefRange),
		NICs:   d.nics(c.Blocks), Kernel: d.kernel(c.Attributes), DeclRange: b.DefRange, args: c.Attributes,
	}
	if len(c.Attributes) > 0 {
		proto.said = &connection{proto.Address, proto.SSH}
	}
	groups := d.references(c.Attributes["groups"])
	for _, name := range names {
		h := proto
		h.Name = name
		h.layers = slices.Clone(proto.layers)
		if d.addHost(&h, b.LabelRanges[0]) {
			d.hostRefs[&h] = groups
		}
	}
}

func (d *decoder) addHost(h *Host, rng hcl.Range) bool {
	var before *hcl.Range
	if old := d.inv.hosts[h.Name]; old != nil {
		before = &old.DeclRange
	}
	if !d.named("host", h.Name, rng, before) {
		return false
	}
	d.inv.hosts[h.Name] = h
	d.inv.Hosts = append(d.inv.Hosts, h)
	return true
}

func (d *decoder) nics(blocks hcl.Blocks) []NIC {
	var out []NIC
	seen := map[string]*hcl.Range{}
	for _, b := range blocks {
		c := d.content(b, nicSchema)
		name := b.Labels[0]
		if !d.named("nic", name, b.LabelRanges[0], seen[name]) {
			continue
		}
		seen[name] = b.DefRange.Ptr()
		out = append(out, NIC{
			Name: name, Network: d.text(c.Attributes["network"]), Addresses: d.prefixes(c.Attributes["address"]),
			MAC: d.text(c.Attributes["mac"]), MTU: d.number(c.Attributes["mtu"], 65535), DeclRange: b.DefRange,
		})
	}
	return out
}

func (d *decoder) network(b *hcl.Block) {
	c := d.content(b, networkSchema)
	n := &Network{Name: b.Labels[0], CIDR: d.prefixes(c.Attributes["cidr"]), MTU: d.number(c.Attributes["mtu"], 65535), DeclRange: b.DefRange}
	var before *hcl.Range
	if old := d.inv.networks[n.Name]; old != nil {
		before = &old.DeclRange
	}
	if d.named("network", n.Name, b.LabelRanges[0], before) {
		d.inv.networks[n.Name] = n
		d.inv.Networks = append(d.inv.Networks, n)
	}
}

func (d *decoder) checkNetworks() {
	var names []string
	for _, n := range d.inv.Networks {
		names = append(names, n.Name)
	}
	for _, h := range d.inv.Hosts {
		for _, n := range h.NICs {
			if n.Network != "" && d.inv.networks[n.Network] == nil {
				d.fault(n.DeclRange, "Unknown network", "No network %q is declared.%s", n.Network, DidYouMean(n.Network, names))
			}
		}
	}
}

// references reads a list of names, in which ranges such as web[01:50] stand for all they name.
func (d *decoder) references(a *hcl.Attribute) []reference {
	var out []reference
	for _, s := range d.texts(a) {
		names, err := ExpandRange(s)
		if err != nil {
			d.fault(a.Expr.Range(), "Wrong name", "The range in %q is wrong: %s.", s, err)
		}
		for _, n := range names {
			out = append(out, reference{n, a.Expr.Range()})
		}
	}
	return out
}

// listed adds a host of the command line's list, unless it is declared already.
func (d *decoder) listed(s string) {
	hop, ok := parseHop(s)
	if !ok {
		d.fault(hcl.Range{}, "Wrong host", "-i: %q is not [user@]host[:port].", s)
		return
	}
	if d.inv.hosts[hop.Address] != nil {
		return
	}
	h := &Host{Name: hop.Address, Address: hop.Address, DeclRange: hcl.Range{Filename: "-i"}}
	h.User, h.Port = hop.User, hop.Port
	if h.Name == "localhost" {
		h.Connection = ConnectLocal
	}
	d.inv.hosts[h.Name] = h
	d.inv.Hosts = append(d.inv.Hosts, h)
}

// forMember returns the settings of a group as they are for a member: a group that is reached through one of its own hosts does
// not mean that host.
func (s SSH) forMember(h *Host) SSH {
	if slices.ContainsFunc(s.Jump, func(j Jump) bool { return j.Text == h.Name }) {
		s.Jump = nil
	}
	return s
}

// defaultHops are the hosts on the way that the ssh block gives to all: the way does not apply to them.
func (d *decoder) defaultHops() map[string]bool {
	out := map[string]bool{}
	var visit func(jumps []Jump)
	visit = func(jumps []Jump) {
		for _, j := range jumps {
			if h := d.inv.hosts[j.Text]; h != nil && !out[h.Name] {
				out[h.Name] = true
				visit(h.Jump)
			}
		}
	}
	visit(d.inv.SSH.Jump)
	return out
}
