package playbooks

import (
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"labctl/inventory/secrets"
	"labctl/inventory/source"
	"labctl/playbooks/syntax"
)

// varsFile reads a file of variables, of -e @FILE and of --var-file. What is in an encrypted one is sensitive, and is shown by no message.
func (s *Site) varsFile(name string, out map[string]given) {
	b, err := readGiven(name)
	if err != nil {
		s.diags.fileFault(name, err)
		return
	}
	b, kind, err := s.keys.Open(name, b)
	if err != nil {
		s.unread = true
		s.diags.add(fault(nowhere, source.Encrypted, "Cannot open %s: %s.", name, err))
		return
	}
	if !utf8.Valid(b) {
		s.badVars(name, "The file is not UTF-8.")
		return
	}
	sealed := kind != secrets.None
	one := map[string]given{}
	switch filepath.Ext(name) {
	case ".hcl", ".tfvars":
		s.varsHCL(name, b, sealed, one)
	case ".json":
		s.varsJSON(b, name, one)
	default:
		s.varsYAML(name, b, sealed, one)
	}
	for k, g := range one {
		if sealed {
			g.value = g.value.Mark(sensitive)
		}
		out[k] = g
	}
}

// readGiven reads a file that the command line names. That may be a pipe, as from <(sops -d FILE).
func readGiven(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return readFile(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(f, syntax.MaxSize))
}

// varsHCL reads name = value. The values are constants, but for those that are encrypted one by one.
func (s *Site) varsHCL(name string, b []byte, sealed bool, out map[string]given) {
	f, diags := syntax.Parse(name, b)
	if !sealed {
		s.files[name] = f
	}
	attrs, more := f.Body.JustAttributes()
	diags = append(diags, more...)
	ctx := &hcl.EvalContext{Functions: map[string]function.Function{"decrypt": s.decryptFunction()}}
	for k, a := range attrs {
		v, more := a.Expr.Value(ctx)
		diags = append(diags, more...)
		if more.HasErrors() {
			v = cty.DynamicVal
		}
		out[k] = given{value: v, from: name, rng: a.Range}
	}
	if sealed {
		diags = hidden(diags)
	}
	s.diags.add(diags...)
}

// varsYAML reads YAML as Ansible does, with values that ansible-vault has encrypted.
func (s *Site) varsYAML(name string, b []byte, sealed bool, out map[string]given) {
	vars, diags := source.ParseVars(s.keys, name, b, sealed)
	if !sealed {
		s.noteFile(name, b)
	}
	s.diags.add(diags...)
	for k, v := range vars {
		out[k] = given{value: v.Value, from: name, rng: v.Range}
	}
}

// noteFile keeps a file that is not HCL for messages.
func (s *Site) noteFile(name string, b []byte) {
	if s.found == nil {
		s.found = map[string]*hcl.File{}
	}
	s.found[name] = &hcl.File{Bytes: b}
}
