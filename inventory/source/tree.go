package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"labctl/inventory"
	"labctl/inventory/secrets"
)

// document is a file of YAML or JSON as a tree of YAML's nodes, which know their places.
type document struct {
	name  string
	b     []byte
	lines []int // where each begins
	root  *yaml.Node
	left  int           // nodes that may still be visited: aliases could make a small file a large one
	keys  *secrets.Keys // open values of ansible-vault
}

const maxNodes = 20_000_000

func newDocument(name string, b []byte, root *yaml.Node) *document {
	d := &document{name: name, b: b, left: maxNodes, root: root, lines: []int{0}}
	for i, c := range b {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	return d
}

// parseDocument reads YAML, or JSON where that is what it is.
func parseDocument(name string, b []byte) (*document, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("it is not UTF-8")
	}
	var jsonErr error
	if t := bytes.TrimLeft(b, " \t\r\n"); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		root, err := parseJSON(b)
		if err == nil {
			return newDocument(name, b, root), nil
		}
		jsonErr = err
	}
	root, err := parseYAML(b)
	if err != nil && jsonErr != nil && strings.EqualFold(filepath.Ext(name), ".json") {
		err = jsonErr
	}
	return newDocument(name, b, root), err
}

func parseYAML(b []byte) (root *yaml.Node, err error) {
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if n.Kind == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1, Column: 1}, nil
	}
	return n.Content[0], nil
}

// rangeOf is where a node is.
func (d *document) rangeOf(n *yaml.Node) hcl.Range {
	if n.Line < 1 || n.Line > len(d.lines) {
		return hcl.Range{Filename: d.name}
	}
	offset := min(d.lines[n.Line-1]+max(n.Column-1, 0), len(d.b))
	end := len(d.b) // not looked for: a file of one line may have many nodes
	if n.Line < len(d.lines) {
		end = d.lines[n.Line] - 1
	}
	length := max(end-offset, 0)
	r := line(d.name, n.Line, offset, length)
	r.Start.Column, r.End.Column = n.Column, n.Column+length
	return r
}

// jsonReader makes a tree of JSON.
type jsonReader struct {
	dec   *json.Decoder
	b     []byte
	line  int
	start int // of the line
	seen  int
	depth int
}

func parseJSON(b []byte) (*yaml.Node, error) {
	r := &jsonReader{dec: json.NewDecoder(bytes.NewReader(b)), b: b, line: 1}
	r.dec.UseNumber()
	n, err := r.value()
	if err == nil {
		if _, more := r.dec.Token(); more != io.EOF { //nolint:errorlint // Token returns it as it is
			err = errors.New("more follows after the value")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		return nil, fmt.Errorf("line %d: %w", r.line, err)
	}
	return n, nil
}

// place sets where the decoder is.
func (r *jsonReader) place(n *yaml.Node, at int) *yaml.Node {
	for ; r.seen < at && r.seen < len(r.b); r.seen++ {
		if r.b[r.seen] == '\n' {
			r.line++
			r.start = r.seen + 1
		}
	}
	n.Line, n.Column = r.line, max(at-r.start, 0)+1
	return n
}

func (r *jsonReader) value() (*yaml.Node, error) {
	before := int(r.dec.InputOffset())
	t, err := r.dec.Token()
	if err != nil {
		r.place(&yaml.Node{}, int(r.dec.InputOffset()))
		return nil, err
	}
	for before < len(r.b) && strings.IndexByte(" \t\r\n,:", r.b[before]) >= 0 {
		before++
	}
	n := r.place(&yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle}, before)
	switch t := t.(type) {
	case json.Delim:
		return r.container(n, t)
	case string:
		n.Tag, n.Value = "!!str", t
	case json.Number:
		n.Tag, n.Value = "!json", t.String()
	case bool:
		n.Tag, n.Value, n.Style = "!!bool", strconv.FormatBool(t), 0
	case nil:
		n.Tag, n.Value, n.Style = "!!null", "null", 0
	}
	return n, nil
}

func (r *jsonReader) container(n *yaml.Node, open json.Delim) (*yaml.Node, error) {
	if r.depth++; r.depth > 1000 {
		return nil, errors.New("it is nested more than 1000 deep")
	}
	defer func() { r.depth-- }()
	n.Kind, n.Tag, n.Style = yaml.SequenceNode, "!!seq", 0
	if open == '{' {
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
	}
	for r.dec.More() {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, v)
	}
	_, err := r.dec.Token()
	return n, err
}

// entry is a key of a mapping and its value.
type entry struct {
	key   string
	node  *yaml.Node // of the key
	value *yaml.Node
}

// entries lists a mapping in its order, with what << merges into it and of two equal keys the last.
func (d *document) entries(n *yaml.Node) []entry {
	n = d.target(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	out := make([]entry, 0, len(n.Content)/2)
	at := make(map[string]int, len(n.Content)/2)
	add := func(e entry, weak bool) {
		if i, twice := at[e.key]; !twice {
			at[e.key] = len(out)
			out = append(out, e)
		} else if !weak {
			out[i] = e
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0 {
			continue
		}
		add(entry{d.key(k), k, n.Content[i+1]}, false)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0 {
			for _, e := range d.mergedIn(n.Content[i+1]) {
				add(e, true)
			}
		}
	}
	return out
}

func (d *document) mergedIn(n *yaml.Node) []entry {
	if n = d.target(n); n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return d.entries(n)
	}
	var out []entry
	for _, c := range n.Content {
		out = append(out, d.entries(c)...)
	}
	return out
}

// key is a key as text.
func (d *document) key(n *yaml.Node) string {
	if n = d.target(n); n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!str" {
		return n.Value
	}
	return keyText(scalar(n))
}

// target follows an alias, and counts visits. It is nil when there were too many.
func (d *document) target(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
		d.left--
	}
	if d.left--; d.left < 0 {
		return nil
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Style == 0 && scalar(n).IsNull()
}

// value makes a value of a tree.
func (d *document) value(n *yaml.Node) cty.Value { return d.nested(n, 0) }

func (d *document) nested(n *yaml.Node, depth int) cty.Value {
	if n = d.target(n); n == nil || depth > 200 {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]cty.Value{}
		for _, e := range d.entries(n) {
			if e.key == "__ansible_vault" && len(n.Content) == 2 { // as ansible-inventory --list has it
				return d.opened(d.target(e.value))
			}
			out[e.key] = d.nested(e.value, depth+1)
		}
		return cty.ObjectVal(out)
	case yaml.SequenceNode:
		out := make([]cty.Value, len(n.Content))
		for i, c := range n.Content {
			out[i] = d.nested(c, depth+1)
		}
		return cty.TupleVal(out)
	}
	if n.Tag == "!vault" || n.Tag == "!vault-encrypted" {
		return d.opened(n)
	}
	return scalar(n)
}

// opened is a value that ansible-vault has encrypted. One that cannot be opened is a fault only where it is used, as with Ansible.
func (d *document) opened(n *yaml.Node) cty.Value {
	if n == nil {
		return cty.NullVal(cty.String)
	}
	text, err := d.keys.Value(n.Value)
	if err != nil {
		return cty.StringVal("").WithMarks(cty.NewValueMarks(inventory.Unopened(err.Error()), inventory.Sensitive))
	}
	return cty.StringVal(text).Mark(inventory.Sensitive)
}

// vars reads a mapping of variables.
func (d *document) vars(n *yaml.Node) map[string]inventory.Var {
	entries := d.entries(n)
	out := make(map[string]inventory.Var, len(entries))
	for _, e := range entries {
		out[e.key] = inventory.Var{Value: d.value(e.value), Range: d.rangeOf(e.node)}
	}
	return out
}

// The forms of YAML 1.1, which is what Ansible reads (PyYAML's resolver.py).
var (
	yamlInt   = regexp.MustCompile(`^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$`)
	yamlSixty = regexp.MustCompile(`^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`)
	yamlFloat = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$`)
	yamlWords = map[string]cty.Value{
		"": cty.NullVal(cty.DynamicPseudoType), "~": cty.NullVal(cty.DynamicPseudoType), "null": cty.NullVal(cty.DynamicPseudoType),
		"Null": cty.NullVal(cty.DynamicPseudoType), "NULL": cty.NullVal(cty.DynamicPseudoType),
	}
)

func init() {
	for word, v := range map[string]cty.Value{"yes": cty.True, "true": cty.True, "on": cty.True, "no": cty.False, "false": cty.False, "off": cty.False} {
		yamlWords[word], yamlWords[strings.ToUpper(word)], yamlWords[strings.ToUpper(word[:1])+word[1:]] = v, v, v
	}
}

// scalar is the value of a scalar node.
func scalar(n *yaml.Node) cty.Value {
	switch n.Tag {
	case "!json":
		if f, _, err := big.ParseFloat(n.Value, 10, 512, big.ToNearestEven); err == nil {
			return cty.NumberVal(f)
		}
		return cty.StringVal(n.Value)
	case "!unsafe":
		return cty.StringVal(n.Value)
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!str" {
		return text(n.Value)
	}
	return plain(n.Value)
}

// plain is the value of a scalar without quotes.
func plain(s string) cty.Value {
	if v, ok := yamlWords[s]; ok {
		return v
	}
	if c := s[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return text(s)
	}
	digits := strings.ReplaceAll(s, "_", "")
	switch {
	case yamlInt.MatchString(s):
		if n, ok := yamlInteger(digits); ok {
			return cty.NumberVal(new(big.Float).SetInt(n))
		}
	case yamlFloat.MatchString(s):
		if f, err := strconv.ParseFloat(digits, 64); err == nil {
			return cty.NumberFloatVal(f)
		}
	case yamlSixty.MatchString(s):
		if f, ok := sixty(digits); ok {
			return cty.NumberFloatVal(f)
		}
	}
	return text(s)
}

func yamlInteger(s string) (*big.Int, bool) {
	sign, base := "", 10
	if s[0] == '-' || s[0] == '+' {
		sign, s = s[:1], s[1:]
	}
	switch {
	case strings.HasPrefix(s, "0b"):
		s, base = s[2:], 2
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	return new(big.Int).SetString(sign+s, base)
}

// sixty reads 1:30:00, which is a number to the base of 60.
func sixty(s string) (float64, bool) {
	sign, total := 1.0, 0.0
	if s[0] == '-' {
		sign = -1
	}
	for _, part := range strings.Split(strings.TrimLeft(s, "+-"), ":") {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0, false
		}
		total = total*60 + f
	}
	return sign * total, true
}
