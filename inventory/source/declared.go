package source

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
)

// declared is a source that a block of HCL declares.
type declared struct {
	Source
	block inventory.SourceBlock
}

// Of makes a source of a block.
func Of(b inventory.SourceBlock) Source {
	name := home(b.Path)
	switch b.Type {
	case "ansible":
		return declared{Ansible{name}, b}
	case "terraform":
		return declared{Terraform{Path: name, Output: b.Output, Program: b.Program, Workspace: b.Workspace}, b}
	case "ssh_config":
		return declared{SSHConfig{name}, b}
	case "vagrant":
		return declared{Vagrant{name}, b}
	}
	return declared{Program{Args: b.Command, Dir: home(b.Directory), Env: b.Environment}, b}
}

// home replaces ~ by the user's home directory, as a shell does.
func home(name string) string {
	rest, ok := strings.CutPrefix(name, "~")
	if !ok || rest != "" && rest[0] != '/' {
		return name
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return name
	}
	return filepath.Join(dir, rest)
}

// Load reads the source. All that is wrong with it tells of the block.
func (d declared) Load(ctx context.Context, env *Env) (*inventory.Found, hcl.Diagnostics) {
	if d.block.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = within(ctx, d.block.Timeout)
		defer cancel()
	}
	f, diags := d.Source.Load(ctx, env)
	for _, g := range diags {
		if g.Subject == nil {
			g.Subject = d.block.Range.Ptr()
			continue
		}
		g.Detail += fmt.Sprintf(" (The source %q at %s:%d reads it.)", d.block.Type, d.block.Range.Filename, d.block.Range.Start.Line)
	}
	if f == nil {
		return nil, diags
	}
	d.pick(f)
	for i := range f.Hosts {
		f.Hosts[i].Groups = append(slices.Clip(f.Hosts[i].Groups), d.block.Groups...)
	}
	if len(f.Hosts) == 0 && !diags.HasErrors() {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "No host found", Subject: d.block.Range.Ptr(), Detail: d.nothing()})
	}
	return f, diags
}

func (d declared) nothing() string {
	if d.block.Hosts != nil {
		return fmt.Sprintf("%s has no host that matches %s.", d.Name(), strings.Join(d.block.Hosts, ", "))
	}
	return fmt.Sprintf("%s has no host.", d.Name())
}

// pick leaves the hosts that the block wants.
func (d declared) pick(f *inventory.Found) {
	if d.block.Hosts == nil {
		return
	}
	other := func(name string) bool {
		return !slices.ContainsFunc(d.block.Hosts, func(glob string) bool { ok, _ := path.Match(glob, name); return ok })
	}
	f.Hosts = slices.DeleteFunc(f.Hosts, func(h inventory.FoundHost) bool { return other(h.Name) })
	for i := range f.Groups {
		f.Groups[i].Hosts = slices.DeleteFunc(f.Groups[i].Hosts, other)
	}
}
