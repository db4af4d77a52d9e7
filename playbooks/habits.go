package playbooks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/modules/schema"
)

// Whoever comes from Ansible, Terraform or ip(8) writes what is right there. These tables say what it is called here.

// argumentHabits are arguments of tasks elsewhere. A hint that names another argument counts only where there is one.
var argumentHabits = map[string]struct{ instead, hint string }{
	"state":       {"ensure", `Write ensure = "present" or ensure = "absent"; of a file type = "directory", "file" or "link"; of a service running = true, or in a handler restarted = true.`},
	"loop":        {"for_each", "Write for_each = [...]; the element is each.value."},
	"with_items":  {"for_each", "Write for_each = [...]; the element is each.value."},
	"with_dict":   {"for_each", "Write for_each = {...}; there are each.key and each.value."},
	"count":       {"for_each", "Write for_each = range(n); the number is each.value."},
	"depends_on":  {"", "It is not needed: tasks run in order, from top to bottom."},
	"gateway":     {"via", "Write via = \"...\"."},
	"nexthop":     {"via", "Write via = \"...\"."},
	"gw":          {"via", "Write via = \"...\"."},
	"msg":         {"", "debug \"...\" {} is what shows a text; -v shows what each task returned."},
	"listen":      {"", "That is of handlers: a task names those that it tells, or what they listen to: notify = [\"...\"]."},
	"sudo":        {"become", "Write become = true."},
	"delegate_to": {"on", "Write on = \"...\"."},
	"check_mode":  {"check", "Write check = true or check = false."},
	"environment": {"", "Only command takes an environment."},
	"cmd":         {"shell", "Write shell = \"...\"."},
	"ip":          {"cidr", "Write cidr = [\"192.0.2.1/24\"]."},
	"addresses":   {"cidr", "Write cidr = [...]."},
	"id":          {"vni", "Write vni = ..."},
	"port":        {"dstport", "Write dstport = ..."},
	"dport":       {"destination_port", "Write destination_port = ..."},
	"sport":       {"source_port", "Write source_port = ..."},
	"iface":       {"dev", "Write dev = \"...\"."},
	"interface":   {"dev", "Write dev = \"...\"."},
	"device":      {"dev", "Write dev = \"...\"."},
	"local_ip":    {"local", "Write local = \"...\"."},
	"remote_ip":   {"remote", "Write remote = \"...\"."},
	"target":      {"jump", "Write jump = \"...\"."},
	"permissions": {"mode", "Write mode = \"0644\"."},
	"source":      {"src", "Write src = \"...\"."},
	"interfaces":  {"ports", "Write ports = [...]."},
	"members":     {"ports", "Write ports = [...]."},
	"slaves":      {"ports", "Write ports = [...]."},
	"namespace":   {"netns", "Write netns = \"...\"."},
}

// moduleHabits are tasks elsewhere.
var moduleHabits = map[string]string{
	"shell":              `Write command "what it does" { shell = "..." }.`,
	"script":             `Write command "what it does" { shell = file("...") }.`,
	"raw":                `Write command "what it does" { shell = "..." }.`,
	"lineinfile":         `Write line "/path/of/the/file" { line = "..." }.`,
	"blockinfile":        "Write line for each line, or copy or template for the whole file.",
	"replace":            "Write line for each line, or copy or template for the whole file.",
	"setup":              "Facts are there when a task refers to them: facts.NAME.",
	"gather_facts":       "Facts are there when a task refers to them: facts.NAME.",
	"meta":               `Write flush_handlers {}, or sync {} for hosts to wait for each other.`,
	"pause":              `Write wait_for or command "sleep 5" {} to wait, labctl play --step to be asked.`,
	"slurp":              `Write fetch, or command "cat FILE" with register.`,
	"synchronize":        "Write copy for each file, or copy and unarchive for a tree.",
	"systemd_service":    `Write service "NAME" { running = true }.`,
	"systemd":            `Write service "NAME" { running = true }.`,
	"apt":                `Write package "NAME" {}, or package "what for" { names = ["NAME", ...] }.`,
	"yum":                `Write package "NAME" {}, or package "what for" { names = ["NAME", ...] }.`,
	"dnf":                `Write package "NAME" {}, or package "what for" { names = ["NAME", ...] }.`,
	"pip":                `Write command "pip install NAME" { creates = "..." }.`,
	"mount":              `Write line "/etc/fstab" { line = "..." }, and command "mount /PATH" {}.`,
	"find":               `Write command "find ..." { register = "..." }: result.NAME.stdout has what it prints.`,
	"tempfile":           `Write command "mktemp" { register = "..." }: result.NAME.stdout is its name.`,
	"include_vars":       "Write locals { NAME = yamldecode(file(\"FILE\")) }, or give the file with --var-file FILE.",
	"nmcli":              `Write link, bond, bridge, vlan and address for what is to be now; template "/etc/..." for the next boot.`,
	"apt_repository":     `Write copy "/etc/apt/sources.list.d/NAME.list" { content = "..." }.`,
	"apt_key":            `Write get_url "/etc/apt/keyrings/NAME.asc" { url = "..." }.`,
	"ufw":                "Write iptables_chain, iptables_rule or nftables.",
	"firewalld":          "Write iptables_chain, iptables_rule or nftables.",
	"docker_container":   `Write container "NAME" { image = "..." }.`,
	"openvswitch_bridge": `Write ovs_bridge "NAME" {}.`,
	"openvswitch_port":   `Write ovs_port "NAME" { bridge = "..." }.`,
	"openvswitch_db":     "What it sets are arguments of ovs_bridge, ovs_port and ovs_mirror, such as other_config.",
	"include":            `Among the tasks of a play it takes those of a file. For the plays of another file write import "FILE.hcl" {}.`,
	"uri":                `Write http "URL" { status = 200 }, or get_url "/path/of/the/file" { url = "..." }.`,
	"modprobe":           `Write kernel_module "NAME" {}.`,
	"tc":                 `Write qdisc "DEVICE" { kind = "netem" ... }.`,
	"netem":              `Write qdisc "DEVICE" { kind = "netem" ... }.`,
	"iptables":           `Write iptables_rule "NAME" { ... } for one rule, iptables_chain "NAME" { rule { ... } } for a whole chain.`,
	"interface":          `Write link "NAME" { ... }.`,
	"ip_address":         `Write address "DEVICE" { cidr = [...] }.`,
	"ip":                 `Write link, address, route, rule or netns for what the object is.`,
	"resource":           `Write the task itself, by its module: bridge "br0" { ... }.`,
	"tasks":              "The tasks stand in the play itself, without a block around them.",
	"pre_tasks":          "Tasks run in order, from top to bottom: put them first.",
	"post_tasks":         "Tasks run in order, from top to bottom: put them last.",
	"handlers":           `Write handler "NAME" { ... } for each of them.`,
	"provider":           "There are none: hosts are reached by SSH. Write host \"NAME\" { address = \"...\" }.",
	"output":             "Outputs are those of a role. labctl play --json tells what came of each task.",
	"data":               "Write a task that reads, such as command, with register; or facts.",
	"terraform":          "It is not needed: a site says only hosts and plays.",
	"module":             `Write role "NAME" { ... }, or the files roles/NAME/*.hcl, and use "NAME" { ... } in a play.`,
	"task":               "A task begins with the name of its module: bridge \"br0\" { ... }.",
	"playbook":           `Write play "NAME" { hosts = ... }.`,
	"hosts":              `Write host "NAME" { address = "..." } for each.`,
	"vars":               `Write variable "NAME" { default = ... }, locals { ... }, or vars = { ... } in a play, a group or a host.`,
	"var":                `Write variable "NAME" { default = ... }.`,
	"local":              "Write locals { NAME = ... }.",
	"inventory":          "Write host and group blocks, here or in inventory.hcl.",
	"block":              "It stands among the tasks of a play.",
	"roles":              `Write use "NAME" { ... } for each, among the tasks of a play.`,
	"use":                `It stands among the tasks of a play.`,
	"include_tasks":      `Write include "FILE.hcl" { }.`,
	"import_tasks":       `Write include "FILE.hcl" { }.`,
	"include_role":       `Write use "NAME" { }.`,
	"import_role":        `Write use "NAME" { }.`,
	"import_playbook":    `Write import "FILE.hcl" {}, outside of plays.`,
}

// nameHabits are names in expressions elsewhere.
var nameHabits = map[string]string{
	"inventory_hostname":   "Write host.name.",
	"ansible_hostname":     "Write facts.hostname.",
	"ansible_host":         "Write host.address.",
	"ansible_facts":        "Write facts.",
	"ansible_default_ipv4": "Write facts.default_ipv4.",
	"hostvars":             "Write hosts[\"NAME\"], and hosts[\"NAME\"].vars for its variables.",
	"item":                 "Write each.value, in a task with for_each.",
	"data":                 "Results of tasks are result.NAME, what is known of the host is in facts.",
	"yes":                  "Write true.",
	"on":                   "Write true.",
	"no":                   "Write false.",
	"off":                  "Write false.",
	"True":                 "Write true.",
	"False":                "Write false.",
	"None":                 "Write null.",
	"omit":                 "Write null: the argument is then left alone.",
}

// nameHabit is the hint for a name, with a blank before it, or "".
func nameHabit(name string) string {
	if h := nameHabits[name]; h != "" {
		return " " + h
	}
	if strings.HasPrefix(name, "ansible_") {
		return " What is known of the host is in facts."
	}
	return ""
}

// argumentHabit is the hint for an argument, with a blank before it, or "".
func argumentHabit(name string, known []string) string {
	if name == "state" && slices.Contains(known, "up") {
		return ` Write up = true or up = false; or ensure = "absent" for what is not to be there.`
	}
	h, ok := argumentHabits[name]
	if !ok || h.instead != "" && !slices.Contains(known, h.instead) {
		return ""
	}
	return " " + h.hint
}

// blockHabit is the hint where an argument is meant to be a nested block: rules = [...] for rule { }.
func blockHabit(name string, b *schema.Block) string {
	for _, k := range blockNames(b) {
		if name == k+"s" {
			return fmt.Sprintf(" Write %s blocks, one for each: %s { ... }", k, k)
		}
	}
	return ""
}

// jinja is a template of Ansible's: two braces around a name, with filters or without.
var jinja = regexp.MustCompile(`\{\{-?\s*[A-Za-z_][\w.\[\]'"]*\s*(\|[^}]*)?-?\}\}`)

// checkTree looks for what the names in expressions do not show: functions that do not exist, templates of another language.
func (s *Site) checkTree(exprs []hcl.Expression) hcl.Diagnostics {
	var diags hcl.Diagnostics
	enter := func(n hclsyntax.Node) hcl.Diagnostics {
		if once, ok := n.(*onceExpr); ok {
			n = once.Expression
		}
		switch e := n.(type) {
		case *hclsyntax.FunctionCallExpr:
			return s.checkFunction(e)
		case *hclsyntax.TemplateExpr:
			return s.checkTemplate(e)
		}
		return nil
	}
	for _, e := range exprs {
		if n, ok := e.(hclsyntax.Node); ok {
			diags = append(diags, hclsyntax.VisitAll(n, enter)...)
		}
	}
	return diags
}

func (s *Site) checkFunction(e *hclsyntax.FunctionCallExpr) hcl.Diagnostics {
	if _, ok := s.scope.Functions[e.Name]; ok {
		return nil
	}
	hint := " docs/language.md lists them all."
	if f := inventory.Suggest(e.Name, sortedKeys(s.scope.Functions)); f != "" {
		hint = fmt.Sprintf(" Did you mean %q?", f)
	}
	return hcl.Diagnostics{fault(e.NameRange, "Unknown function", "There is no function %q.%s", e.Name, hint)}
}

func (s *Site) checkTemplate(e *hclsyntax.TemplateExpr) hcl.Diagnostics {
	f := s.files[e.SrcRange.Filename]
	if f == nil {
		return nil
	}
	return foreign(e.SrcRange.SliceBytes(f.Bytes), e.SrcRange, "")
}

// foreign warns of a template of Ansible's in text at rng, which in names for the message, with a blank behind, or "".
func foreign(text []byte, rng hcl.Range, in string) hcl.Diagnostics {
	found := jinja.Find(text)
	if found == nil {
		return nil
	}
	name, _, _ := strings.Cut(strings.Trim(string(found), "{}-"), "|")
	name = strings.TrimSpace(name)
	return hcl.Diagnostics{{
		Severity: hcl.DiagWarning, Summary: "Template of another language", Subject: rng.Ptr(),
		Detail: fmt.Sprintf("%s%s stays as it is written. %s", in, found, interpolation(name)),
	}}
}

// interpolation says how the value of a name gets into a text.
func interpolation(name string) string {
	if h := nameHabit(name); h != "" {
		return "The value of an expression is written ${ ... }." + h
	}
	return fmt.Sprintf("For the value of %s write ${%s}.", name, name)
}

// moduleHabit says in whole sentences that there is no such module, and what to write, or "".
func moduleHabit(name string) string {
	h := moduleHabits[name]
	if h == "" {
		return ""
	}
	if rest, yet := strings.CutPrefix(h, "There is none yet. "); yet {
		return fmt.Sprintf("There is no module %q yet. %s", name, rest)
	}
	return fmt.Sprintf("There is no module %q. %s", name, h)
}

// ModuleHint says what is written here in place of a module of Ansible's, with a blank before it, or which one was probably meant.
func ModuleHint(name string, known []string) string {
	if h := moduleHabits[name]; h != "" {
		return " " + h
	}
	return inventory.DidYouMean(name, known)
}

// playHabits are arguments of plays elsewhere.
var playHabits = map[string]string{
	"vars_files":   "Give the file with --var-file FILE, or write locals { NAME = yamldecode(file(\"FILE\")) }.",
	"gather_facts": "It is not needed: the facts are there.",
	"tasks":        "The tasks stand in the play itself, as blocks: bridge \"br0\" { ... }.",
	"roles":        `Write use "NAME" { ... } for each, among the tasks.`,
	"handlers":     "Write handler \"NAME\" { ... } blocks.",
	"name":         "The name is the label: play \"NAME\" { ... }.",
	"remote_user":  "Write ssh { user = \"...\" }, or user in the host or group.",
	"user":         "Write ssh { user = \"...\" }, or user in the host or group.",
	"connection":   "Write connection in the host or group.",
	"when":         "Conditions are for tasks; hosts = \"a:!b\" chooses hosts.",
	"run_once":     "It is for tasks and blocks.",
	"notify":       "It is for tasks.",
	"for_each":     "It is for tasks.",
}

// playHabit is the hint for an argument of a play, with a blank before it, or "".
func playHabit(name string) string {
	if h := playHabits[name]; h != "" {
		return " " + h
	}
	return ""
}

// typeHabits are types elsewhere.
var typeHabits = map[string]string{
	"int": "number", "integer": "number", "float": "number", "str": "string", "text": "string", "boolean": "bool",
	"dict": "map(any)", "array": "list(any)",
}

// typeHabit adds to what is said of the type of a variable what it is called here.
func typeHabit(x hcl.Expression, diags hcl.Diagnostics) hcl.Diagnostics {
	here := typeHabits[hcl.ExprAsKeyword(x)]
	for _, d := range diags {
		if here != "" {
			d.Detail += fmt.Sprintf(" Write type = %s.", here)
		}
	}
	return diags
}

// truthHint says how a truth value written in words is written here, with a blank before it.
func truthHint(v cty.Value, want cty.Type) string {
	if want != cty.Bool || v == cty.NilVal || v.Type() != cty.String || v.IsNull() || !v.IsKnown() || v.IsMarked() {
		return ""
	}
	switch strings.ToLower(v.AsString()) {
	case "yes", "on", "y", "true":
		return " Write true, without quotes."
	case "no", "off", "n", "false":
		return " Write false, without quotes."
	}
	if strings.Contains(v.AsString(), "==") || strings.Contains(v.AsString(), "!=") {
		return " Write the condition without quotes."
	}
	return ""
}
