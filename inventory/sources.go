package inventory

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// SourceBlock is a source block: another tool that knows of hosts, as it is written in HCL.
type SourceBlock struct {
	Type        string // one of SourceTypes
	Path        string // file or directory
	Output      string // of Terraform
	Program     string // in place of Terraform's own
	Workspace   string // of Terraform
	Command     []string
	Directory   string // where Command runs
	Environment []string
	Hosts       []string // globs of the names that are wanted; nil: all
	Groups      []string // that every host of it is in
	Timeout     time.Duration
	Range       hcl.Range
}

// sourceSchemas are the arguments of each type of source.
var sourceSchemas = map[string]*hcl.BodySchema{
	"ansible":    sourceSchema("path"),
	"command":    sourceSchema("command", "directory", "environment", "timeout"),
	"ssh_config": sourceSchema("path"),
	"terraform":  sourceSchema("path", "directory", "output", "program", "workspace", "timeout"),
	"vagrant":    sourceSchema("path", "directory", "timeout"),
}

func sourceSchema(names ...string) *hcl.BodySchema {
	return &hcl.BodySchema{Attributes: attributes(append(names, "hosts", "groups")...)}
}

// SourceTypes are the types of source blocks, sorted.
var SourceTypes = []string{"ansible", "command", "ssh_config", "terraform", "vagrant"}

// DecodeSources reads the source blocks among blocks.
func DecodeSources(blocks hcl.Blocks, scope *hcl.EvalContext) ([]SourceBlock, hcl.Diagnostics) {
	d := &decoder{reader: reader{ctx: scope}}
	var out []SourceBlock
	for _, b := range blocks {
		if b.Type != "source" {
			continue
		}
		if s, ok := d.source(b); ok {
			out = append(out, s)
		}
	}
	return out, d.diags
}

func (d *decoder) source(b *hcl.Block) (SourceBlock, bool) {
	before := len(d.diags)
	kind := b.Labels[0]
	schema := sourceSchemas[kind]
	if schema == nil {
		d.fault(b.LabelRanges[0], "Unknown source", "There is no source of type %q.%s", kind, DidYouMean(kind, SourceTypes))
		return SourceBlock{}, false
	}
	a := d.content(b, schema).Attributes
	s := SourceBlock{
		Type: kind, Range: b.DefRange, Path: d.path(a["path"]), Directory: d.path(a["directory"]), Command: d.command(a["command"]),
		Environment: d.environment(a["environment"]), Output: d.text(a["output"]), Program: d.text(a["program"]), Workspace: d.text(a["workspace"]),
		Hosts: d.texts(a["hosts"]), Groups: d.texts(a["groups"]), Timeout: d.duration(a["timeout"]),
	}
	for _, glob := range s.Hosts {
		if _, err := filepath.Match(glob, ""); err != nil {
			d.fault(a["hosts"].Expr.Range(), "Wrong pattern", "%q: %s.", glob, err)
		}
	}
	d.sourcePlace(b, a, &s)
	return s, len(d.diags) == before
}

// sourcePlace checks that a source says where it is. Sources that run a program may call a directory by that name.
func (d *decoder) sourcePlace(b *hcl.Block, a hcl.Attributes, s *SourceBlock) {
	switch {
	case s.Type == "command":
		if a["command"] == nil {
			d.fault(b.DefRange, "Missing argument", `A source "command" says what to run: command = ["./hosts", "--list"].`)
		}
	case a["path"] != nil && a["directory"] != nil:
		d.fault(a["directory"].NameRange, "Wrong argument", "path and directory say the same: write one of them.")
	case a["path"] == nil && a["directory"] == nil:
		d.fault(b.DefRange, "Missing argument", "A source %q says where it is: path = \"...\".", s.Type)
	case s.Path == "":
		s.Path, s.Directory = s.Directory, ""
	}
}

// path reads one file name, relative to the file that holds the argument.
func (r *reader) path(a *hcl.Attribute) string {
	s := r.text(a)
	if s == "" || filepath.IsAbs(s) || strings.HasPrefix(s, "~") {
		return s
	}
	return filepath.Join(filepath.Dir(a.Range.Filename), s)
}

// command reads a program and its arguments: a list, or one text with a shell's quotes.
func (r *reader) command(a *hcl.Attribute) []string {
	words := r.texts(a)
	if a == nil {
		return nil
	}
	if v, diags := a.Expr.Value(r.ctx); !diags.HasErrors() && v.Type() == cty.String && len(words) == 1 {
		var err error
		if words, err = SplitWords(words[0]); err != nil {
			r.fault(a.Expr.Range(), "Wrong command", "%s.", sentence(err.Error()))
		}
	}
	if len(words) == 0 || words[0] == "" {
		r.fault(a.Expr.Range(), "Wrong command", "The command is a program and its arguments: [\"./hosts\", \"--list\"].")
		return nil
	}
	if strings.Contains(words[0], "/") && !filepath.IsAbs(words[0]) { // as paths are
		if abs, err := filepath.Abs(filepath.Join(filepath.Dir(a.Range.Filename), words[0])); err == nil {
			words = append([]string{abs}, words[1:]...)
		}
	}
	return words
}

// environment reads variables of the environment, as NAME=value.
func (r *reader) environment(a *hcl.Attribute) []string {
	if a == nil {
		return nil
	}
	v, ok := r.value(a, cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	m, err := convert.Convert(v, cty.Map(cty.String))
	if err != nil {
		r.fault(a.Expr.Range(), "Wrong type", "The argument %q is an object of texts: { NAME = \"value\" }.", a.Name)
		return nil
	}
	var out []string
	for k, e := range m.AsValueMap() {
		if !e.IsNull() {
			out = append(out, k+"="+e.AsString())
		}
	}
	slices.Sort(out)
	return out
}

// SourceHeader makes a block of one whose labels are its type and, as its user likes, a name, which is for people.
func SourceHeader(b *hclsyntax.Block) (*hcl.Block, *hcl.Diagnostic) {
	if len(b.Labels) == 1 || len(b.Labels) == 2 {
		return b.AsHCLBlock(), nil
	}
	return nil, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong labels", Subject: b.DefRange().Ptr(),
		Detail: "A source has a type: source \"terraform\" { path = \"...\" }, and after that a name if you like."}
}
