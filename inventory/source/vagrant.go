package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// Vagrant is the machines of a Vagrantfile: the directory of it, in which "vagrant ssh-config" is run; the directory .vagrant in
// it, of which only names and keys are taken where there is no Vagrant; or a file with what "vagrant ssh-config" has printed.
type Vagrant struct{ Path string }

// Name returns the path.
func (v Vagrant) Name() string { return v.Path }

// Load asks Vagrant for the machines.
func (v Vagrant) Load(ctx context.Context, env *Env) (*inventory.Found, hcl.Diagnostics) {
	f := &inventory.Found{}
	info, err := os.Stat(v.Path)
	if err != nil || !info.IsDir() {
		b, diags := read(v.Path, f)
		if diags.HasErrors() {
			return f, diags
		}
		return f, parseVagrant(v.Path, b, f)
	}
	dir := filepath.Clean(v.Path)
	if filepath.Base(dir) == ".vagrant" {
		if above := filepath.Dir(dir); env.Run != nil && exists(filepath.Join(above, "Vagrantfile")) {
			f, diags := Vagrant{above}.Load(ctx, env)
			if !slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary == noVagrant }) {
				return f, diags
			}
		}
		return f, machinesAlone(dir, f)
	}
	machines := vagrantMachines(filepath.Join(dir, ".vagrant"))
	var names []string
	for _, m := range machines {
		names = append(names, m.name)
	}
	if len(names) == 0 && exists(filepath.Join(dir, "Vagrantfile")) && exists(filepath.Join(dir, ".vagrant")) {
		return f, hcl.Diagnostics{fault(hcl.Range{}, "No machine", "No machine of %s is there yet: vagrant up", filepath.Join(dir, "Vagrantfile"))}
	}
	diags := v.ask(ctx, env, dir, names, f)
	for i := range f.Hosts {
		for _, m := range machines {
			if m.name == f.Hosts[i].Name {
				f.Hosts[i].Vars = m.vars()
			}
		}
	}
	return f, diags
}

// machine is a machine that Vagrant has made.
type machine struct {
	name, provider string
	key            string // its private key; "" where the box has one that is known
	dir            string
}

func (m machine) vars() map[string]inventory.Var {
	return map[string]inventory.Var{"vagrant_provider": {Value: cty.StringVal(m.provider), Range: hcl.Range{Filename: m.dir}}}
}

// vagrantMachines lists what is in machines/NAME/PROVIDER and has an id: it has none before it is made and after it is destroyed.
func vagrantMachines(dot string) []machine {
	var out []machine
	dirs, _ := filepath.Glob(filepath.Join(dot, "machines", "*", "*", "id"))
	for _, id := range dirs {
		dir := filepath.Dir(id)
		m := machine{name: filepath.Base(filepath.Dir(dir)), provider: filepath.Base(dir), dir: dir}
		if key := filepath.Join(dir, "private_key"); exists(key) {
			m.key = key
		}
		out = append(out, m)
	}
	return out
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// machinesAlone takes what .vagrant knows without Vagrant: addresses are not in it.
func machinesAlone(dot string, f *inventory.Found) hcl.Diagnostics {
	machines := vagrantMachines(dot)
	if len(machines) == 0 {
		return hcl.Diagnostics{fault(hcl.Range{}, "No machine", "%s holds no machine: vagrant up", dot)}
	}
	for _, m := range machines {
		h := inventory.FoundHost{Name: m.name, Layer: inventory.Layer{Range: hcl.Range{Filename: m.dir}, Vars: m.vars()}}
		if m.key != "" {
			if abs, err := filepath.Abs(m.key); err == nil {
				m.key = abs
			}
			h.SSH.IdentityFiles = []string{m.key}
		}
		f.Hosts = append(f.Hosts, h)
	}
	return hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "No addresses", Detail: fmt.Sprintf(
		"%s holds names and keys, but no addresses: these hosts are looked up by name unless host blocks say their address. Name the directory of the "+
			"Vagrantfile, where Vagrant is installed, or a file with what vagrant ssh-config has printed.", dot)}}
}

// ask runs vagrant ssh-config for all machines. Where it fails, it is run for each: of those that are halted it says nothing and
// fails.
func (v Vagrant) ask(ctx context.Context, env *Env, dir string, names []string, f *inventory.Found) hcl.Diagnostics {
	out, err := sshConfigOf(ctx, env, dir, names)
	if err == nil {
		return parseVagrant(shownVagrant(dir), out, f)
	}
	if len(names) < 2 || errors.Is(err, ErrNoProgram) || ctx.Err() != nil {
		return hcl.Diagnostics{vagrantFault(err, dir)}
	}
	outs, errs := make([][]byte, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	limit := make(chan struct{}, 4)
	for i, name := range names {
		limit <- struct{}{}
		wait.Go(func() {
			outs[i], errs[i] = sshConfigOf(ctx, env, dir, []string{name})
			<-limit
		})
	}
	wait.Wait()
	var diags hcl.Diagnostics
	for i, name := range names {
		if errs[i] == nil {
			diags = append(diags, parseVagrant(shownVagrant(dir)+" "+name, outs[i], f)...)
			continue
		}
		d := vagrantFault(errs[i], dir)
		d.Severity, d.Summary, d.Detail = hcl.DiagWarning, "Machine left out", fmt.Sprintf("The machine %s is left out. %s", name, d.Detail)
		diags = append(diags, d)
	}
	if len(f.Hosts) == 0 && !diags.HasErrors() {
		return hcl.Diagnostics{vagrantFault(err, dir)}
	}
	return diags
}

func shownVagrant(dir string) string {
	return filepath.Join(dir, "Vagrantfile") + ": vagrant ssh-config"
}

func sshConfigOf(ctx context.Context, env *Env, dir string, names []string) ([]byte, error) {
	return env.run(ctx, Command{
		Args: append([]string{"vagrant", "ssh-config"}, names...), Dir: dir, Env: []string{"VAGRANT_CHECKPOINT_DISABLE=1", "VAGRANT_NO_COLOR=1"},
	})
}

const noVagrant = "No Vagrant"

func vagrantFault(err error, dir string) *hcl.Diagnostic {
	if errors.Is(err, ErrNoProgram) {
		return fault(hcl.Range{}, noVagrant, "%s. Where there is one, save what it says: vagrant ssh-config > vagrant.ssh_config, and name that file.", err)
	}
	return fault(hcl.Range{}, "Vagrant failed", "In %s: %s", dir, closed(err))
}

// parseVagrant reads what vagrant ssh-config prints (templates/commands/ssh_config/config.erb of Vagrant): for each machine a Host
// line and its settings. What plugins say before the first is passed over.
func parseVagrant(name string, b []byte, f *inventory.Found) hcl.Diagnostics {
	keep(f, name, b)
	at, num := 0, 0
	var h *inventory.FoundHost
	var diags hcl.Diagnostics
	for row := range bytes.Lines(b) {
		num++
		rng := line(name, num, at, len(bytes.TrimRight(row, "\r\n")))
		at += len(row)
		text := strings.TrimSpace(string(row))
		keyword, value := cutSetting(text)
		switch {
		case text == "" || text[0] == '#':
		case strings.EqualFold(keyword, "Host"):
			f.Hosts = append(f.Hosts, inventory.FoundHost{Name: unquoted(value), Layer: inventory.Layer{Range: rng}})
			h = &f.Hosts[len(f.Hosts)-1]
		case h == nil:
		default:
			if err := vagrantSetting(h, keyword, value); err != nil {
				diags = append(diags, fault(rng, "Wrong ssh-config", "%s: %s.", keyword, err))
			}
		}
	}
	if h == nil {
		diags = append(diags, fault(hcl.Range{}, "Wrong ssh-config", "%s names no host: it is what vagrant ssh-config prints.", name))
	}
	return diags
}

func cutSetting(s string) (keyword, value string) {
	i := strings.IndexAny(s, " \t=")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s[i:]), "="))
}

func unquoted(s string) string {
	if words, err := inventory.SplitWords(s); err == nil && len(words) == 1 {
		return words[0]
	}
	return s
}

func vagrantSetting(h *inventory.FoundHost, keyword, value string) error {
	if value == "" {
		return errors.New("there is no value")
	}
	switch strings.ToLower(keyword) {
	case "hostname":
		h.Address = unquoted(value)
	case "user":
		h.SSH.User = unquoted(value)
	case "port":
		n, err := strconv.ParseUint(unquoted(value), 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is not a port, which is a number from 1 to 65535", value)
		}
		h.SSH.Port = int(n)
	case "identityfile":
		if key := unquoted(value); !slices.Contains(h.SSH.IdentityFiles, key) {
			h.SSH.IdentityFiles = append(h.SSH.IdentityFiles, key)
		}
	default:
		h.SSH.Options = append(h.SSH.Options, keyword+" "+value)
	}
	return nil
}
