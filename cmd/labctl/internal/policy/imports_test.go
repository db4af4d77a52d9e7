package policy

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// layer is what the packages at and below one path may import.
type layer struct {
	path  string
	may   []string          // trees of this module, itself included; reached through others counts too
	third []string          // trees of other modules, imported directly
	never map[string]string // packages that may not even be reached through others, and why
	why   string
}

// heavy is what must not get into the agent by way of what it shares with labctl.
var heavy = map[string]string{
	"net/http":      "it makes the agent twice as large",
	"text/template": "it keeps the linker from dropping any method",
	"regexp":        "the agent can do without; write the few loops",
}

// pure is heavy, and what only agent/linux may do.
var pure = func() map[string]string {
	m := maps.Clone(heavy)
	m["os/exec"] = "ask the host.Host"
	return m
}()

const (
	cty      = "github.com/zclconf/go-cty"
	hcl      = "github.com/hashicorp/hcl/v2"
	netlink  = "github.com/vishvananda/netlink"
	netns    = "github.com/vishvananda/netns"
	xcrypto  = "golang.org/x/crypto"
	xsys     = "golang.org/x/sys"
	xterm    = "golang.org/x/term"
	xsync    = "golang.org/x/sync"
	yaml     = "go.yaml.in/yaml/v3" // go-cty-yaml tells no places, and has the types of YAML 1.2
	internal = "labctl/cmd/labctl/internal"
)

// language is what a user's files are read with.
var language = []string{hcl, cty, "github.com/zclconf/go-cty-yaml", "github.com/hashicorp/go-cty-funcs", "github.com/apparentlymart", "github.com/agext/levenshtein"}

// layers has the longest match for a package hold. Go refuses cycles; this table refuses the rest.
var layers = []layer{
	{path: "labctl/docs", may: []string{"labctl/docs"}, never: pure,
		why: "it is the text of pages, which labctl carries"},
	{path: "labctl/modules", may: []string{"labctl/modules"}, never: pure,
		why: "modules run on both sides, on every system, and only ask a host.Host"},
	{path: "labctl/agent", may: []string{"labctl/agent", "labctl/modules"}, never: pure,
		why: "the agent answers requests; the machine is handed to it"},
	{path: "labctl/agent/wire", may: []string{"labctl/agent/wire", "labctl/modules"}, never: pure,
		why: "the protocol is plain data for both sides"},
	{path: "labctl/agent/linux", may: []string{"labctl/agent/linux", "labctl/modules"}, never: heavy,
		third: []string{netlink, netns, xsys},
		why:   "it is the kernel as a host.Host, and knows nothing of who asks"},
	{path: "labctl/transport", may: []string{"labctl/transport"},
		third: []string{xcrypto, xsys, xterm, xsync, "github.com/pkg/sftp", "github.com/kevinburke/ssh_config"},
		why:   "transport is a leaf: it moves bytes"},
	{path: "labctl/inventory", may: []string{"labctl/inventory"}, third: language,
		why: "hosts, groups and variables need no machine"},
	{path: "labctl/inventory/secrets", may: []string{"labctl/inventory/secrets"}, third: []string{"filippo.io/age", xcrypto, yaml},
		never: map[string]string{"os/exec": "it opens what is encrypted by itself", "net/http": "keys are on this computer"},
		why:   "bytes are decrypted, whatever they are for"},
	{path: "labctl/inventory/source", may: []string{"labctl/inventory"}, third: append([]string{yaml}, language...),
		never: map[string]string{"os/exec": "whoever may run commands is handed in", "net/http": "inventories are files and the output of programs"},
		why:   "what other tools write is read and handed on as plain data"},
	{path: "labctl/playbooks", may: []string{"labctl/playbooks", "labctl/inventory", "labctl/modules"}, third: language,
		never: map[string]string{"os/exec": "evaluation starts nothing", "net/http": "evaluation fetches nothing"},
		why:   "evaluation touches no machine and reads files only"},
	{path: "labctl/playbooks/syntax", may: []string{"labctl/playbooks/syntax"}, third: language,
		why: "the grammar needs neither hosts nor modules"},
	{path: "labctl/runner", may: []string{"labctl/runner", "labctl/playbooks", "labctl/inventory", "labctl/modules", "labctl/agent", "labctl/transport"},
		third: append([]string{xsync}, language...),
		never: map[string]string{"labctl/agent/linux": "the kernel is the agent's; plans without a machine run on memory"},
		why:   "the runner drives agents over the wire; it neither draws nor touches a kernel"},
	{path: "labctl/runner/agentbin", may: []string{"labctl/runner/agentbin"}, third: []string{"github.com/ulikunitz/xz"},
		why: "it holds bytes"},
	{path: "labctl/cmd/labctl-agent", may: []string{"labctl/cmd/labctl-agent", "labctl/agent", "labctl/modules"}, never: heavy,
		why: "the agent travels: it has nothing that it can do without"},
	{path: "labctl/cmd/labctl", may: []string{"labctl"}, third: append([]string{
		"github.com/spf13", "github.com/rogpeppe/go-internal", xterm, xsys, xsync, xcrypto, "github.com/mitchellh/go-wordwrap",
		"gopkg.in/ini.v1", // ansible.cfg
	}, language...),
		why: "the program puts it all together"},
	{path: internal + "/sandbox", may: []string{internal + "/sandbox", internal + "/wholefile"}, third: []string{netlink, netns, xsys, xterm, xcrypto, xsync, "github.com/kevinburke/ssh_config"},
		why: "machines are made from a plain topology"},
	{path: internal + "/view", may: []string{internal + "/view", "labctl/runner", "labctl/playbooks", "labctl/inventory", "labctl/modules", "labctl/agent", "labctl/transport"},
		third: append([]string{"github.com/rogpeppe/go-internal", xterm, "golang.org/x/text", "github.com/mitchellh/go-wordwrap"}, language...),
		why:   "a view is a fold over events"},
	{path: internal + "/planfile", may: []string{internal + "/planfile", internal + "/statedir", internal + "/wholefile", "labctl/runner", "labctl/playbooks", "labctl/inventory", "labctl/modules", "labctl/agent", "labctl/transport"},
		why: "a plan that is kept is a list of events"},
	{path: internal + "/runlog", may: []string{internal + "/runlog", internal + "/statedir", internal + "/wholefile", "labctl/runner", "labctl/playbooks", "labctl/inventory", "labctl/modules", "labctl/agent", "labctl/transport"},
		why: "a record of a run is a list of events"},
	{path: internal + "/statedir", why: "it is a directory's name"},
	{path: internal + "/wholefile", why: "it writes bytes"},
	{path: internal + "/policy", why: "it is tests only"},
	{path: internal + "/bench", may: []string{internal + "/bench", internal + "/sandbox"}, third: []string{netlink, netns, xsys, xcrypto},
		why: "what is measured is measured from outside"},
}

func layerOf(path string) (found layer, ok bool) {
	for _, l := range layers {
		if within(path, l.path) && len(l.path) > len(found.path) {
			found, ok = l, true
		}
	}
	return found, ok
}

func TestImports(t *testing.T) {
	std := map[string]bool{}
	for _, p := range list(t, nil, "-deps", "./...") {
		std[p.ImportPath] = p.Standard
	}
	for _, p := range list(t, nil, "./...") {
		l, ok := layerOf(p.ImportPath)
		if !ok {
			t.Errorf("%s has no layer: say in layers what it may import, and why", p.ImportPath)
			continue
		}
		for _, d := range p.Deps {
			if why, bad := l.never[d]; bad {
				t.Errorf("%s depends on %s: %s", p.ImportPath, d, why)
			}
			if within(d, "labctl") && !withinAny(d, l.may) {
				t.Errorf("%s depends on %s: %s", p.ImportPath, d, l.why)
			}
		}
		for _, d := range p.Imports {
			if !std[d] && !within(d, "labctl") && !withinAny(d, l.third) && d != "C" {
				t.Errorf("%s imports %s: %s", p.ImportPath, d, l.why)
			}
		}
	}
}

// TestLayersAreUsed keeps the table from speaking of packages that are gone.
func TestLayersAreUsed(t *testing.T) {
	all := list(t, nil, "./...")
	for _, l := range layers {
		if !slices.ContainsFunc(all, func(p pkg) bool { return within(p.ImportPath, l.path) }) {
			t.Errorf("there is no package at or below %s: strike it from layers", l.path)
		}
		if l.why == "" || strings.HasSuffix(l.why, ".") {
			t.Errorf("layer %s: give a reason, without a period", l.path)
		}
	}
}
