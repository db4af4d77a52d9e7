package modules

import (
	"context"
	"strings"

	"labctl/modules/host"
)

// The modules by which a run adds to the inventory: the evaluation of a play sees to that.
const (
	AddHostName = "add_host"
	GroupByName = "group_by"
)

func init() {
	Register(Spec[AddHost]{
		Name: AddHostName,
		Doc:  "Adds a host to the inventory, for the plays behind this one: a machine that the run has just made. Nothing is written to files. A group that is not there is made. Every host of the play that takes part in the task adds one; the same name twice is one host, of which the later counts. It changes nothing on any machine, and is never reported as a change.",
		Example: `command "terraform output -json address" { register = "made" }
add_host "web9" {
  address = jsondecode(result.made.stdout)
  user    = "admin"
  jump    = ["bastion"]
  groups  = ["web"]
  vars    = { vlan = 20 }
}
`,
		Validate: (*AddHost).validate, Run: runAddHost, Modelled: true,
	})
	Register(Spec[GroupBy]{
		Name: GroupByName,
		Doc:  "Puts the host into a group, for the plays behind this one: one that is named after what the host is like. A group that is not there is made. Nothing is written to files.",
		Example: `group_by "os_${facts.distribution}" {}
group_by "vlan${host.vars.vlan}" { parents = ["switched"] }
`,
		Validate: (*GroupBy).validate, Run: runGroupBy, Modelled: true,
	})
}

// AddHost is a host that is known from the next play on.
type AddHost struct {
	Name         string   `json:"name" lab:"key" doc:"Name of the host."`
	Address      string   `json:"address,omitempty" doc:"Name or address to connect to, as seen from the last jump host; the name of the host if unset."`
	Port         int      `json:"port,omitempty" doc:"TCP port of its SSH server."`
	User         string   `json:"user,omitempty" doc:"User to log in as."`
	IdentityFile []string `json:"identity_file,omitempty" doc:"Files of private keys, on this machine."`
	Password     string   `json:"password,omitempty" lab:"sensitive" doc:"Password of the login."`
	HostKey      []string `json:"host_key,omitempty" doc:"Public keys or fingerprints that the host may have, in place of known_hosts."`
	HostKeyCheck string   `json:"host_key_policy,omitempty" doc:"What of host keys that are not known: strict, ask, accept-new or off."`
	Jump         []string `json:"jump,omitempty" doc:"Hosts of the inventory, or user@host:port, to go through, the first to be connected first."`
	Options      []string `json:"options,omitempty" doc:"Further options, as ssh -o takes them."`
	Connection   string   `json:"connection,omitempty" doc:"ssh, or local: this machine, without SSH."`
	Groups       []string `json:"groups,omitempty" lab:"set" doc:"Groups that it is in."`
	Vars         any      `json:"vars,omitempty" doc:"Variables of the host, an object."`
}

// GroupBy is a group that the host is in from the next play on.
type GroupBy struct {
	Name    string   `json:"name" lab:"key" doc:"Name of the group."`
	Parents []string `json:"parents,omitempty" lab:"set" doc:"Groups that the group is put into."`
}

// nameOf refuses what a pattern could not tell from something else, as the names of a file of hosts.
func nameOf(arg, name string) error {
	if name == "" || strings.ContainsAny(name, " \t\r\n,:!&~*?@[]/") || name[0] == '-' {
		return argf(arg, "%q cannot be a name: it holds no white space and none of , : ! & ~ * ? @ [ ] / and does not begin with -", name)
	}
	return nil
}

func namesOf(arg string, names []string) error {
	for _, name := range names {
		if err := nameOf(arg, name); err != nil {
			return err
		}
		if name == "localhost" {
			return argf(arg, "the name %q stands for this machine", name)
		}
	}
	return nil
}

func (a *AddHost) validate() error {
	if err := nameOf("name", a.Name); err != nil {
		return err
	}
	if a.Port < 0 || a.Port > 65535 {
		return argf("port", "%d is not a port, which is a number from 1 to 65535", a.Port)
	}
	if a.Connection != "" && a.Connection != "ssh" && a.Connection != "local" {
		return argf("connection", "%q is neither ssh nor local", a.Connection)
	}
	switch a.HostKeyCheck {
	case "", "strict", "ask", "accept-new", "off":
	default:
		return argf("host_key_policy", "%q is none of strict, ask, accept-new and off", a.HostKeyCheck)
	}
	if a.Vars != nil {
		if _, ok := a.Vars.(map[string]any); !ok {
			return argf("vars", "is not an object: { name = value }")
		}
	}
	return namesOf("groups", a.Groups)
}

func runAddHost(_ context.Context, _ host.Host, want *AddHost) (*AddHost, bool, error) {
	return want, false, nil
}

func (g *GroupBy) validate() error {
	if err := namesOf("name", []string{g.Name}); err != nil {
		return err
	}
	return namesOf("parents", g.Parents)
}

func runGroupBy(_ context.Context, _ host.Host, want *GroupBy) (*GroupBy, bool, error) {
	return want, false, nil
}
