package inventory

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Setting is one thing that is said of how a host is reached, and where.
type Setting struct {
	Name      string // as the argument of a block is called; "options" for each of those
	Keyword   string // of ssh_config(5), in lower case, or ""
	Value     string
	Sensitive bool
	From      string // "host boxA", "group vteps", "ssh", "variable ansible_port of group web"
	Range     hcl.Range
	Wins      bool // false: one that goes before hides it
}

// settingKeywords are the keywords of ssh_config(5) that arguments stand for.
var settingKeywords = map[string]string{
	"address": "hostname", "user": "user", "port": "port", "identity_file": "identityfile", "identities_only": "identitiesonly",
	"identity_agent": "identityagent", "known_hosts": "userknownhostsfile", "host_key_policy": "stricthostkeychecking",
	"host_key_alias": "hostkeyalias", "certificate_file": "certificatefile", "connect_timeout": "connecttimeout",
	"proxy_command": "proxycommand", "control_path": "controlpath", "jump": "proxyjump",
}

// settings lists what is set, under the names of arguments.
func (s *SSH) settings() []Setting {
	var out []Setting
	add := func(name, value string) {
		if value != "" {
			out = append(out, Setting{Name: name, Keyword: settingKeywords[name], Value: value, Sensitive: strings.HasSuffix(name, "password")})
		}
	}
	list := func(name string, values []string) { add(name, strings.Join(values, " ")) }
	number := func(name string, n int) {
		if n != 0 {
			add(name, fmt.Sprint(n))
		}
	}
	add("user", s.User)
	number("port", s.Port)
	list("identity_file", s.IdentityFiles)
	if s.IdentitiesOnly {
		add("identities_only", "true")
	}
	add("identity_agent", s.IdentityAgent)
	list("certificate_file", s.Certificates)
	list("known_hosts", s.KnownHosts)
	add("host_key_policy", s.HostKeyPolicy)
	add("host_key_alias", s.HostKeyAlias)
	list("host_key", s.HostKeys)
	list("host_ca", s.HostCAs)
	add("password", s.Password.Reveal())
	if s.ConnectTimeout != 0 {
		add("connect_timeout", s.ConnectTimeout.String())
	}
	add("connection", s.Connection)
	if s.Jump != nil {
		var hops []string
		for _, j := range s.Jump {
			hops = append(hops, j.Text)
		}
		add("jump", strings.Join(append(hops, "none")[:max(len(hops), 1)], " "))
	}
	if s.Relay {
		add("relay", "true")
	}
	add("proxy_command", s.ProxyCommand)
	add("control_path", s.ControlPath)
	add("ssh_config", s.ConfigFile)
	if s.Become != nil {
		add("become", fmt.Sprint(*s.Become))
	}
	add("become_user", s.BecomeUser)
	add("become_method", s.BecomeMethod)
	add("become_password", s.BecomePassword.Reveal())
	list("become_flags", s.BecomeFlags)
	for _, o := range s.Options {
		keyword, value := splitOption(o)
		out = append(out, Setting{Name: "options", Keyword: strings.ToLower(keyword), Value: keyword + "=" + value})
	}
	return out
}

// ExplainSSH lists what the inventory says of how h is reached, what goes before first: variables of the command line, the host's
// block, variables, what sources found, groups, the ssh block, and what counts where nothing else is said.
func (inv *Inventory) ExplainSSH(h *Host) []Setting {
	var out []Setting
	add := func(from string, rng hcl.Range, args hcl.Attributes, address string, s SSH) {
		all := s.settings()
		if address != "" {
			all = append([]Setting{{Name: "address", Keyword: "hostname", Value: address}}, all...)
		}
		for _, v := range all {
			v.From, v.Range = from, rng
			if a := args[v.Name]; a != nil {
				v.Range = a.Range
			}
			out = append(out, v)
		}
	}
	variable := func(from string, rng hcl.Range, v cty.Value, take func(*connection) error) {
		var c connection
		if take(&c) != nil { // it was told of
			return
		}
		before := len(out)
		add(from, rng, nil, c.address, c.ssh)
		for i := before; v.HasMark(Sensitive) && i < len(out); i++ {
			out[i].Sensitive = true
		}
	}
	eachConnectionVar(inv.over, func(name string, take func(*connection) error) {
		variable("variable "+name, hcl.Range{Filename: "-e"}, inv.over[name], take)
	})
	if h.said != nil {
		add("host "+h.Name, h.DeclRange, h.args, h.said.address, h.said.ssh)
	}
	origins := map[string]Origin{}
	for _, o := range inv.Explain(h) {
		if o.Wins {
			origins[o.Name] = o
		}
	}
	eachConnectionVar(h.Vars, func(name string, take func(*connection) error) {
		from, o := "variable "+name, origins[name]
		if o.From != "" {
			from += " of " + o.From
		}
		variable(from, o.Range, h.Vars[name], take)
	})
	for i := len(h.foundIn) - 1; i >= 0; i-- {
		f := h.foundIn[i]
		add("host "+h.Name, f.Range, nil, f.Address, f.SSH)
	}
	for _, g := range inv.levels(h) {
		add("group "+g.Name, g.DeclRange, g.args, "", g.SSH.forMember(h))
	}
	if t := inv.Tunnel(h); t != nil {
		out = append(out, Setting{Name: "tunnel", Keyword: "proxyjump", Value: t.To.String() + " through " + t.Host.Text, From: "tunnel " + t.Name, Range: t.DeclRange})
	}
	defaults := inv.SSH
	if h.Implicit || inv.noDefaultJump[h] {
		defaults.Jump = nil
	}
	add("ssh", inv.sshRange, inv.sshArgs, "", defaults)
	add("defaults", hcl.Range{Filename: "command line and environment"}, nil, "", inv.login)
	hide(out)
	return out
}

// hide finds out what wins. Of options, the first of a keyword does, where no argument says the same; files of keys in options add
// up.
func hide(all []Setting) {
	seen := map[string]bool{}
	for i := range all {
		if s := &all[i]; s.Name != "options" {
			s.Wins = !seen[s.Name]
			seen[s.Name] = true
			if s.Keyword != "" {
				seen["-o "+s.Keyword] = true
			}
		}
	}
	for i := range all {
		if s := &all[i]; s.Name == "options" {
			s.Wins = !seen["-o "+s.Keyword]
			seen["-o "+s.Keyword] = s.Keyword != "identityfile" && s.Keyword != "certificatefile"
		}
	}
}
