package playbooks

import (
	"context"
	"fmt"
	"strings"

	"labctl/modules"
	"labctl/modules/host"
)

// The modules of these tests are few and stable: the real ones grow arguments, and the messages that list them would change.

type tBridge struct {
	Name  string   `json:"name" lab:"key" doc:"Interface name."`
	MTU   *int     `json:"mtu" doc:"MTU."`
	Ports []string `json:"ports" lab:"set" doc:"Ports."`
	Up    *bool    `json:"up" doc:"Up."`
}

type tVXLAN struct {
	Name    string `json:"name" lab:"key" doc:"Interface name."`
	VNI     *int   `json:"vni" lab:"required,immutable" doc:"VNI."`
	Remote  string `json:"remote" doc:"Remote."`
	Dstport *int   `json:"dstport" doc:"Port."`
	Dev     string `json:"dev" doc:"Underlay."`
}

type tAddress struct {
	Dev   string   `json:"dev" lab:"key" doc:"Interface."`
	CIDR  []string `json:"cidr" lab:"set" doc:"Addresses."`
	NetNS string   `json:"netns,omitempty" lab:"option" doc:"Namespace."`
}

type tPing struct {
	Address string `json:"address" lab:"key" doc:"Destination."`
	Expect  string `json:"expect" enum:"reachable,loss,unreachable" doc:"What is expected."`
	Timeout string `json:"timeout" lab:"option" doc:"Own timeout."`
}

type tRule struct {
	InInterface string   `json:"in_interface,omitempty" doc:"Interface."`
	CTState     []string `json:"ctstate,omitempty" lab:"set" doc:"States."`
	Jump        string   `json:"jump" lab:"required" doc:"Target."`
	LogPrefix   string   `json:"log_prefix,omitempty" doc:"Prefix, at most 29 characters."`
	Deep        []tDeep  `json:"deep,omitempty" doc:"Deeper."`
}

type tDeep struct {
	Level *int `json:"level" doc:"Level."`
}

type tChain struct {
	Chain  string  `json:"chain" lab:"key" doc:"Chain."`
	Table  string  `json:"table" doc:"Table."`
	Policy string  `json:"policy" enum:"ACCEPT,DROP" doc:"Policy."`
	Rule   []tRule `json:"rule" doc:"Rules."`
	NetNS  string  `json:"netns,omitempty" lab:"option" doc:"Namespace."`
}

type tCommand struct {
	Text   string            `json:"text" lab:"key" doc:"Free text."`
	Argv   []string          `json:"argv" doc:"Words."`
	Env    map[string]string `json:"environment" doc:"Environment."`
	Stdout string            `json:"stdout" lab:"computed" doc:"Output."`
	RC     *int              `json:"rc" lab:"computed" doc:"Exit status."`
}

type tCopy struct {
	Dest    string         `json:"dest" lab:"key" doc:"Destination."`
	Src     string         `json:"src" lab:"option" doc:"Source."`
	Content *string        `json:"content" doc:"Content."`
	SHA256  string         `json:"sha256" lab:"filled" doc:"Hash."`
	Size    int64          `json:"size" lab:"option,filled" doc:"Size."`
	Mode    string         `json:"mode" doc:"Mode."`
	Vars    map[string]any `json:"vars" lab:"option" doc:"Variables."`
}

type tUser struct {
	Name     string `json:"name" lab:"key" doc:"Name."`
	Password string `json:"password" lab:"sensitive" doc:"Password."`
}

type tNetNS struct {
	Name string `json:"name" lab:"key" doc:"Name."`
}

func spec[T any](name string, validate func(*T) error) modules.Module {
	return modules.New(modules.Spec[T]{
		Name: name, Doc: "For tests.", Validate: validate,
		Read:  func(context.Context, host.Host, *T) (*T, error) { return nil, nil },
		Apply: func(context.Context, host.Host, *T, *T, modules.Diff) error { return nil },
	})
}

func testModules() modules.Registry {
	r := modules.Registry{}
	for _, m := range []modules.Module{
		spec[tBridge]("bridge", nil), spec[tVXLAN]("vxlan", nil), spec[tAddress]("address", nil), spec[tUser]("user", nil),
		modules.Default[modules.SetFactName], spec[tNetNS]("netns", nil), spec[tCopy]("copy", nil), spec[tCopy]("template", nil),
		spec("iptables_chain", func(c *tChain) error {
			for i, r := range c.Rule {
				if len(r.LogPrefix) > 29 {
					return &modules.ArgumentError{Path: fmt.Sprintf("rule[%d].log_prefix", i), Msg: "at most 29 characters are possible"}
				}
			}
			return nil
		}),
		modules.New(modules.Spec[tCommand]{Name: "command", Doc: "For tests.",
			Run: func(_ context.Context, _ host.Host, w *tCommand) (*tCommand, bool, error) { return w, true, nil }}),
		modules.New(modules.Spec[tPing]{Name: "ping", Doc: "For tests.", Validate: func(p *tPing) error {
			if strings.Contains(p.Address, " ") {
				return &modules.ArgumentError{Path: "address", Msg: "not an address"}
			}
			return nil
		}, Probe: func(_ context.Context, _ host.Host, w *tPing) (*tPing, error) { return w, nil }}),
	} {
		r[m.Name()] = m
	}
	return r
}
