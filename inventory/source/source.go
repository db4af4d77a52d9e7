// Package source asks other tools for hosts: Ansible, Terraform and OpenTofu, Vagrant, OpenSSH, and any program. Each gives plain
// data, which package inventory merges with what HCL blocks declare. It knows nothing of plays or connections, and starts no
// process: whoever may is handed in.
package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"labctl/inventory"
	"labctl/inventory/secrets"
)

// Source is one place that knows of hosts.
type Source interface {
	// Name is what messages call the source.
	Name() string
	// Load reads it, once, in a goroutine of its own. It ends early when ctx does.
	Load(ctx context.Context, env *Env) (*inventory.Found, hcl.Diagnostics)
}

// Timeout is how long all sources of a run may take together.
const Timeout = 2 * time.Minute

// Env is what sources get from whoever loads them.
type Env struct {
	Run      Run      // nil: no command may be run
	SSHHosts SSHHosts // nil: ssh_config is not read
	Playbook string   // directory beside which Ansible's group_vars and host_vars are looked for; "" for none
	Hosts    []string
	Groups   []string      // that blocks declare, for which there may be files beside Ansible's inventories too
	Keys     *secrets.Keys // open what is encrypted; nil: nothing is opened
}

// Command is a program to run.
type Command struct {
	Args []string
	Dir  string
	Env  []string // added to the environment
}

// Run runs a command to its end and returns what it says on its standard output. What it says on its standard error is in the error.
// A program that is not there is ErrNoProgram.
type Run func(ctx context.Context, c Command) ([]byte, error)

// ErrNoProgram is that a program is not installed.
var ErrNoProgram = errors.New("there is no such program")

// SSHHosts lists the hosts that an ssh_config(5) names one by one.
type SSHHosts func(file string) ([]SSHHost, error)

// SSHHost is one of them.
type SSHHost struct {
	Name, Address string
	File          string
	Line          int
}

// run runs a command of a source.
func (e *Env) run(ctx context.Context, c Command) ([]byte, error) {
	if e.Run == nil {
		return nil, fmt.Errorf("run %s: commands are not run here", strings.Join(c.Args, " "))
	}
	out, err := e.Run(ctx, c)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("run %s: %w", strings.Join(c.Args, " "), context.Cause(ctx))
	}
	if err == nil && len(out) > maxSize {
		return nil, fmt.Errorf("run %s: it printed %d bytes, at most %d are read", strings.Join(c.Args, " "), len(out), maxSize)
	}
	return out, err
}

// within bounds the time of what follows.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("it has not ended in %s", d))
}

// besider is a source beside which files with variables may lie.
type besider interface{ beside() string }

// Load reads all sources at the same time, and what lies beside those of Ansible. The result has their order.
func Load(ctx context.Context, sources []Source, env Env) ([]*inventory.Found, hcl.Diagnostics) {
	ctx, cancel := within(ctx, Timeout)
	defer cancel()
	type result struct {
		found *inventory.Found
		diags hcl.Diagnostics
	}
	done := make([]chan result, len(sources))
	for i, s := range sources {
		done[i] = make(chan result, 1)
		go func() {
			f, diags := s.Load(ctx, &env)
			done[i] <- result{f, diags}
		}()
	}
	var out []*inventory.Found
	var diags hcl.Diagnostics
	for i := range done {
		r := <-done[i]
		diags = append(diags, r.diags...)
		if r.found != nil {
			out = append(out, r.found)
		}
	}
	if diags.HasErrors() {
		return out, diags
	}
	beside, more := besides(sources, out, env)
	return append(out, beside...), append(diags, more...)
}

// besides reads the files with variables that lie beside the sources and beside the playbook.
func besides(sources []Source, found []*inventory.Found, env Env) ([]*inventory.Found, hcl.Diagnostics) {
	var dirs []varsDir
	for i, s := range sources {
		if b, ok := s.(declared); ok {
			s = b.Source
		}
		if b, ok := s.(besider); ok {
			dirs = append(dirs, varsDir{b.beside(), inventory.BesideInventory, i})
		}
	}
	if len(dirs) == 0 {
		return nil, nil
	}
	if env.Playbook != "" && (len(dirs) > 1 || !same(env.Playbook, dirs[0].path)) {
		dirs = append(dirs, varsDir{env.Playbook, inventory.BesidePlaybook, 0})
	}
	hosts, groups := names(found, env)
	var out []*inventory.Found
	var diags hcl.Diagnostics
	for _, d := range dirs {
		f, more := d.load(env.Keys, hosts, groups)
		diags = append(diags, more...)
		out = append(out, f)
	}
	return out, diags
}

func same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y) || filepath.Clean(a) == filepath.Clean(b)
}

// names are those of all hosts and groups, each once.
func names(found []*inventory.Found, env Env) (hosts, groups []string) {
	seen := map[string]bool{}
	add := func(to *[]string, kind, name string) {
		if !seen[kind+name] {
			seen[kind+name] = true
			*to = append(*to, name)
		}
	}
	for _, n := range env.Hosts {
		add(&hosts, "h", n)
	}
	for _, n := range slices.Concat([]string{"all", "ungrouped"}, env.Groups) {
		add(&groups, "g", n)
	}
	for _, f := range found {
		for i := range f.Groups {
			add(&groups, "g", f.Groups[i].Name)
			for _, c := range f.Groups[i].Children {
				add(&groups, "g", c)
			}
		}
		for i := range f.Hosts {
			add(&hosts, "h", f.Hosts[i].Name)
			for _, g := range f.Hosts[i].Groups {
				add(&groups, "g", g)
			}
		}
	}
	return hosts, groups
}

// maxSize bounds what is read from one file or command.
const maxSize = 256 << 20

// read reads a file and keeps it for messages.
func read(name string, into *inventory.Found) ([]byte, hcl.Diagnostics) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err == nil && info.Size() > maxSize {
		err = fmt.Errorf("%d bytes are too many, at most %d are read", info.Size(), maxSize)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, hcl.Diagnostics{fault(hcl.Range{}, "Cannot read file", "Cannot read %s: %s.", name, err)}
	}
	keep(into, name, b)
	return b, nil
}

// Encrypted is the summary of the fault that a file cannot be opened.
const Encrypted = "Encrypted file"

// reveal is read, and decrypts what is encrypted. That is not kept: what messages show of a file would show secrets.
func reveal(keys *secrets.Keys, name string, into *inventory.Found) (b []byte, sealed bool, diags hcl.Diagnostics) {
	b, diags = read(name, into)
	if diags.HasErrors() {
		return nil, false, diags
	}
	b, kind, err := keys.Open(name, b)
	if kind != secrets.None {
		delete(into.Files, name)
	}
	if err != nil {
		diags = append(diags, fault(hcl.Range{}, Encrypted, "Cannot open %s: %s.", name, err))
	}
	return b, kind != secrets.None, diags
}

func keep(into *inventory.Found, name string, b []byte) {
	if into.Files == nil {
		into.Files = map[string]*hcl.File{}
	}
	into.Files[name] = &hcl.File{Bytes: b}
}

// fault makes a diagnostic. A range without a file stands for none.
func fault(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
	if rng.Filename != "" {
		d.Subject = rng.Ptr()
	}
	return d
}

// closed is an error as a sentence.
func closed(err error) string {
	s := strings.TrimRight(err.Error(), " \n")
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") {
		return s
	}
	return s + "."
}

// line is the range of a line of a file, which begins at the byte of that offset.
func line(name string, n, offset, length int) hcl.Range {
	return hcl.Range{
		Filename: name,
		Start:    hcl.Pos{Line: n, Column: 1, Byte: offset},
		End:      hcl.Pos{Line: n, Column: 1 + length, Byte: offset + length},
	}
}
