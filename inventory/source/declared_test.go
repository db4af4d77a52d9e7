package source_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
	"labctl/inventory/source"
)

// blocks reads HCL at the top of a file in dir.
func blocks(t *testing.T, dir, text string) hcl.Blocks {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(text), filepath.Join(dir, "site.hcl"), hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var out hcl.Blocks
	for _, b := range f.Body.(*hclsyntax.Body).Blocks {
		h := b.AsHCLBlock()
		if b.Type == "source" {
			var fault *hcl.Diagnostic
			if h, fault = inventory.SourceHeader(b); fault != nil {
				t.Fatal(fault)
			}
		}
		out = append(out, h)
	}
	return out
}

// loadBlocks loads a site of hosts, groups and sources.
func loadBlocks(t *testing.T, env source.Env, dir, text string) (*inventory.Inventory, hcl.Diagnostics) {
	t.Helper()
	all := blocks(t, dir, text)
	declared, diags := inventory.DecodeSources(all, nil)
	var sources []source.Source
	for _, b := range declared {
		sources = append(sources, source.Of(b))
	}
	found, more := source.Load(t.Context(), sources, env)
	diags = append(diags, more...)
	inv, more := inventory.Decode(inventory.Input{Blocks: all, Found: found})
	return inv, append(diags, more...)
}

// recorded answers commands with what the real ones have said.
func recorded(said map[string]string) source.Run {
	return func(_ context.Context, c source.Command) ([]byte, error) {
		name := strings.Join(c.Args, " ")
		file, ok := said[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("run %s: %w", name, source.ErrNoProgram)
		case strings.HasPrefix(file, "!"):
			return nil, fmt.Errorf("run %s: exit status 1:\n%s", name, file[1:])
		}
		return os.ReadFile(file)
	}
}

// dotVagrant makes a directory with a Vagrantfile and its .vagrant.
func dotVagrant(t *testing.T, machines ...string) string {
	t.Helper()
	dir := t.TempDir()
	files := []string{"Vagrantfile", ".vagrant/rgloader/loader.rb"}
	for _, m := range machines {
		files = append(files, ".vagrant/machines/"+m+"/nothing/id")
	}
	if len(machines) > 0 {
		files = append(files, ".vagrant/machines/box-a/nothing/private_key", ".vagrant/machines/gone/nothing/vagrant_cwd")
	}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestVagrant(t *testing.T) {
	const all = "vagrant ssh-config box-a box-b jump"
	check := func(t *testing.T, inv *inventory.Inventory) {
		t.Helper()
		a, b := inv.Host("box-a"), inv.Host("box-b")
		if a == nil || b == nil || inv.Host("jump") == nil || len(inv.Hosts) != 3 {
			t.Fatalf("%+v", inv.Hosts)
		}
		if a.Address != "127.0.0.1" || a.Port != 2200 || a.User != "ubuntu" || !slices.Equal(a.IdentityFiles, []string{"/home/user/my lab/.vagrant/machines/box-a/nothing/private_key"}) {
			t.Errorf("%+v", a)
		}
		if !slices.Contains(a.Options, "ForwardAgent yes") || !slices.Contains(b.Options, "ProxyCommand ssh -W %h:%p vagrant@127.0.0.1 -p 2222") {
			t.Errorf("%q %q", a.Options, b.Options)
		}
	}
	t.Run("saved", func(t *testing.T) {
		inv, diags := loadBlocks(t, source.Env{}, "testdata/vagrant", `source "vagrant" { path = "ssh-config" }`)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		check(t, inv)
	})
	t.Run("run", func(t *testing.T) {
		env := source.Env{Run: recorded(map[string]string{all: "testdata/vagrant/ssh-config"})}
		inv, diags := loadBlocks(t, env, dotVagrant(t, "box-a", "box-b", "jump"), `source "vagrant" { path = "." }`)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		check(t, inv)
		if p := inv.Host("box-b").Vars["vagrant_provider"]; p.AsString() != "nothing" {
			t.Error(p)
		}
	})
	t.Run("halted", func(t *testing.T) {
		one := filepath.Join(t.TempDir(), "one")
		if err := os.WriteFile(one, []byte("Host jump\n  HostName 127.0.0.1\n  Port 2222\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		env := source.Env{Run: recorded(map[string]string{all: "!not yet ready for SSH.", "vagrant ssh-config jump": one, "vagrant ssh-config box-a": "!not yet ready for SSH.", "vagrant ssh-config box-b": "!not yet ready for SSH."})}
		inv, diags := loadBlocks(t, env, dotVagrant(t, "box-a", "box-b", "jump"), `source "vagrant" { path = "." }`)
		if diags.HasErrors() || len(diags) != 2 || !strings.Contains(diags[0].Detail, "box-a is left out") || inv.Host("jump").Port != 2222 || len(inv.Hosts) != 1 {
			t.Errorf("%v %+v", diags, inv.Hosts)
		}
	})
	t.Run("machines alone", func(t *testing.T) {
		dir := dotVagrant(t, "box-a", "box-b")
		inv, diags := loadBlocks(t, source.Env{}, dir, `source "vagrant" { path = ".vagrant" }
host "box-a" { address = "192.0.2.4" }`)
		a := inv.Host("box-a")
		if diags.HasErrors() || len(diags) != 1 || diags[0].Summary != "No addresses" || len(inv.Hosts) != 2 || a.Address != "192.0.2.4" || !slices.Equal(a.IdentityFiles, []string{filepath.Join(dir, ".vagrant/machines/box-a/nothing/private_key")}) {
			t.Errorf("%v %+v", diags, a)
		}
	})
	t.Run("machines beside their Vagrantfile", func(t *testing.T) {
		env := source.Env{Run: recorded(map[string]string{all: "testdata/vagrant/ssh-config"})}
		inv, diags := loadBlocks(t, env, dotVagrant(t, "box-a", "box-b", "jump"), `source "vagrant" { path = ".vagrant" }`)
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		check(t, inv)
		inv, diags = loadBlocks(t, source.Env{Run: recorded(nil)}, dotVagrant(t, "box-a"), `source "vagrant" { path = ".vagrant" }`)
		if diags.HasErrors() || len(diags) != 1 || diags[0].Summary != "No addresses" || len(inv.Hosts) != 1 {
			t.Error(diags, inv.Hosts)
		}
	})
}

// Faults say where the block is and what is wrong.
func TestDeclaredFaults(t *testing.T) {
	hang := func(ctx context.Context, _ source.Command) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	vagrant := dotVagrant(t)
	for _, c := range []struct {
		text, want string
		run        source.Run
	}{
		{`source "ansibel" { path = "x" }`, `site.hcl:1,8-17: Unknown source; There is no source of type "ansibel". Did you mean "ansible"?`, nil},
		{`source "ansible" { path = "not-there" }`, "site.hcl:1,1-17: Cannot read file; Cannot read DIR/not-there: no such file or directory.", nil},
		{`source "ansible" {}`, `site.hcl:1,1-17: Missing argument; A source "ansible" says where it is: path = "...".`, nil},
		{`source "terraform" { project_path = "x" }`, `A source block has no argument "project_path". Write path = ...`, nil},
		{`source "terraform" { directory = "x", path = "y" }`, "path and directory say the same: write one of them.", nil},
		{`source "command" { path = "x" }`, `A source block has no argument "path".`, nil},
		{`source "command" {}`, `A source "command" says what to run: command = ["./hosts", "--list"].`, nil},
		{`source "command" { command = "x 'y" }`, "A closing quote is missing.", nil},
		{`source "command" { command = "x", hosts = ["["] }`, `"[": syntax error in pattern.`, nil},
		{`source "command" { command = "hosts", timeout = "20ms" }`, "site.hcl:1,1-17: Command failed; run hosts: it has not ended in 20ms.", hang},
		{`source "command" { command = "hosts" }`, "site.hcl:1,1-17: Command failed; run hosts: exit status 1:\nno credentials.", recorded(map[string]string{"hosts": "!no credentials"})},
		{`source "command" { command = "hosts" }`, "there is no such program", recorded(nil)},
		{`source "terraform" { path = "testdata" }`, "terraform output -json > hosts.json", recorded(nil)},
		{`source "terraform" { path = "testdata", program = "tf" }`, "Terraform failed; In DIR/testdata: run tf output -json -no-color: exit status 1:\nno state.", recorded(map[string]string{"tf output -json -no-color": "!no state"})},
		{`source "vagrant" { path = "testdata" }`, "vagrant ssh-config > vagrant.ssh_config", recorded(nil)},
		{`source "vagrant" { path = "` + vagrant + `" }`, "No machine of " + vagrant + "/Vagrantfile is there yet: vagrant up", recorded(nil)},
		{`source "ssh_config" { path = "testdata" }`, "site.hcl:1,1-20: Cannot read file; Cannot read DIR/testdata: it is not a regular file.", nil},
	} {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(c.text, ", ", "\n")
		text = strings.ReplaceAll(strings.ReplaceAll(text, "{ ", "{\n"), " }", "\n}")
		_, diags := loadBlocks(t, source.Env{Run: c.run}, dir, text)
		if got := strings.ReplaceAll(diags.Error()+said(diags), dir, "DIR"); !strings.Contains(got, c.want) {
			t.Errorf("%s\n got: %s\nwant: %s", c.text, got, c.want)
		}
	}
}

// said is every diagnostic in full.
func said(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		fmt.Fprintf(&b, "\n%s", d.Error())
	}
	return b.String()
}

// A fault in what a source reads names its place there and the block.
func TestDeclaredFaultInside(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte("[web]\na x='\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, diags := loadBlocks(t, source.Env{}, dir, "\nsource \"ansible\" \"ours\" {\n  path = \"hosts\"\n}\n")
	if len(diags) != 1 || diags[0].Subject.Start.Line != 2 || diags[0].Subject.Filename != filepath.Join(dir, "hosts") ||
		!strings.HasSuffix(diags[0].Detail, fmt.Sprintf(`(The source "ansible" at %s/site.hcl:2 reads it.)`, dir)) {
		t.Error(diags)
	}
}

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	answers := map[string]string{
		"list":             `["a", {"name": "b", "ip": "10.0.0.2", "groups": "['web', 'db']", "jump": ["a"], "n": 1}]`,
		"map":              `{"all": {"hosts": {"a": {"ansible_host": "10.0.0.1"}, "b": {}}}}`,
		"meta --list":      `{"web": ["a", "b"], "_meta": {"hostvars": {"b": {"ansible_host": "10.0.0.2"}}}}`,
		"old --list":       `{"web": {"hosts": ["a", "b"], "vars": {"n": 1}}}`,
		"old --host a":     `{}`,
		"old --host b":     `{"ansible_host": "10.0.0.2"}`,
		"no-hosts":         `{}`,
		"not-json":         `hosts: [a]`,
		"vars-and-env":     `[{"name": "a", "ansible_port": 2222}]`,
		"neither-nor":      `3`,
		"objects-nameless": `[{"ip": "10.0.0.1"}]`,
	}
	for name, text := range answers {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(_ context.Context, c source.Command) ([]byte, error) {
		b, err := os.ReadFile(filepath.Join(dir, strings.Join(c.Args, " ")))
		if err != nil {
			return nil, errors.New("wrong command")
		}
		return b, nil
	}
	for _, c := range []struct{ command, want string }{
		{"list", "a:a b:10.0.0.2[db web]"},
		{"map", "a:10.0.0.1 b:b"},
		{"meta --list", "a:a[web] b:10.0.0.2[web]"},
		{"old --list", "a:a[web] b:10.0.0.2[web]"},
		{"no-hosts", "No host found"},
		{"not-json", "is not JSON"},
		{"neither-nor", "The inventory is an object"},
		{"objects-nameless", "Each host is an object with a name."},
	} {
		inv, diags := loadBlocks(t, source.Env{Run: run}, dir, fmt.Sprintf("source \"command\" {\n  command = %q\n  timeout = \"%s\"\n}", c.command, time.Minute))
		var got []string
		for _, h := range inv.Hosts {
			s := h.Name + ":" + h.Address
			if len(h.Groups) > 0 {
				s += fmt.Sprint(h.Groups)
			}
			got = append(got, s)
		}
		if all := strings.Join(got, " ") + said(diags); !strings.Contains(all, c.want) || len(diags) == 0 && all != c.want {
			t.Errorf("%s: %s, want %s", c.command, all, c.want)
		}
	}
}

// Hosts of all sources and of HCL are one inventory.
func TestMixed(t *testing.T) {
	env := source.Env{
		Run: recorded(map[string]string{"terraform output -json -no-color": "testdata/terraform/terraform-output.json"}),
		SSHHosts: func(string) ([]source.SSHHost, error) {
			return []source.SSHHost{{Name: "bastion", Address: "203.0.113.7"}, {Name: "other"}}, nil
		},
	}
	inv, diags := loadBlocks(t, env, "testdata", `
source "terraform" "cloud" {
  directory = "terraform"
  hosts     = ["target-*"]
  groups    = ["cloud"]
}
source "ssh_config" {
  path  = "ssh_config/config"
  hosts = ["bastion"]
}
host "target-0" { user = "root" }
group "cloud" { jump = "bastion" }
group "mine" { hosts = ["target-1", "bastion"] }
`)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	hosts, err := inv.Match("cloud:mine")
	if err != nil || len(hosts) != 3 || len(inv.Hosts) != 3 {
		t.Fatal(hosts, err)
	}
	zero, bastion := inv.Host("target-0"), inv.Host("bastion")
	if zero.User != "root" || zero.Address != "192.168.178.3" || len(zero.Jump) != 1 || !slices.Equal(zero.Groups, []string{"cloud", "target_hosts"}) {
		t.Errorf("%+v", zero)
	}
	if bastion.Address != "203.0.113.7" || bastion.ConfigHost != "bastion" || !strings.HasSuffix(bastion.ConfigFile, "/testdata/ssh_config/config") {
		t.Errorf("%+v", bastion)
	}
}

func TestRecognise(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("tf/main.tf", "")
	write("vagrant/Vagrantfile", "")
	write("site/site.hcl", "")
	write("ansible/hosts", "")
	write("dot/.vagrant/machines/a/b/id", "")
	for path, want := range map[string]any{
		"testdata/vagrant/ssh-config":                        source.SSHConfig{},
		"testdata/ssh_config/config":                         source.SSHConfig{},
		"testdata/vagrant":                                   source.Vagrant{},
		"testdata/terraform/terraform.tfstate":               source.Terraform{},
		"testdata/terraform":                                 source.Terraform{},
		"testdata/ansible/ini-classic/hosts":                 source.Ansible{},
		write("config", "# mine\n\nInclude other\n"):         source.SSHConfig{},
		write("equals", "Host=a\n"):                          source.SSHConfig{},
		write("global first", "ForwardAgent yes\nHost a\n"):  source.SSHConfig{},
		write("host k=v", "host ansible_host=1.2.3.4\n"):     source.Ansible{},
		write("names", "host\nmatch\n"):                      source.Ansible{},
		write("yaml", "host:\n  hosts:\n"):                   source.Ansible{},
		write("hosts.ini", "Host a\n"):                       source.Ansible{},
		filepath.Join(dir, "tf"):                             source.Terraform{},
		filepath.Join(dir, "vagrant"):                        source.Vagrant{},
		filepath.Join(dir, "dot"):                            source.Vagrant{},
		filepath.Join(dir, "dot/.vagrant"):                   source.Vagrant{},
		filepath.Join(dir, "ansible"):                        source.Ansible{},
		filepath.Join(dir, "site"):                           nil,
		write("a.hcl", ""):                                   nil,
		write("cut.json", `{"inventory": {"value": []}}`):    source.Terraform{},
		write("group.json", `{"value": {"hosts": {}}}`):      source.Ansible{},
		write("odd.json", `{"a": {"value": {}, "vars": 1}}`): source.Ansible{},
	} {
		if got := source.Recognise(path); fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			t.Errorf("%s: %T, want %T", path, got, want)
		}
	}
}
