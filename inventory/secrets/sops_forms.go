package secrets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sopsForm is a form of files that sops encrypts within. All become a tree of YAML's nodes.
type sopsForm struct {
	mark  string // what a file of sops has in that form
	parse func([]byte) (*yaml.Node, error)
	emit  func(*yaml.Node) ([]byte, error)
}

// sopsFormOf goes by the extension, as sops does (cmd/sops/formats). What is none of the known ones is encrypted as a whole, in JSON.
func sopsFormOf(name string) sopsForm {
	switch filepath.Ext(name) {
	case ".yaml", ".yml":
		return sopsForm{"\nsops:", parseSopsYAML, emitSopsYAML}
	case ".json":
		return sopsForm{`"sops":`, parseSopsJSON, emitSopsJSON}
	case ".env":
		return sopsForm{"\nsops_mac=", parseSopsEnv, emitSopsEnv}
	case ".ini":
		return sopsForm{"\n[sops]", nil, nil}
	}
	return sopsForm{`"sops":`, parseSopsJSON, emitSopsBinary}
}

// MayBeSops reports whether more than the beginning of a file is needed to tell whether sops has encrypted it.
func MayBeSops(name string, head []byte) bool {
	return !strings.HasPrefix(sopsFormOf(name).mark, `"`) || bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{"))
}

// isSops tells a file of sops by the mark of its form, and by an encrypted value: its MAC is one.
func isSops(name string, b []byte) bool {
	form := sopsFormOf(name)
	return MayBeSops(name, b) && bytes.Contains(b, []byte("ENC[AES256_GCM,")) && bytes.Contains(append([]byte("\n"), b...), []byte(form.mark))
}

func parseSopsYAML(b []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds several documents: \"sops -d\" prints them")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("it is not a mapping")
	}
	root.HeadComment, root.FootComment = doc.HeadComment+root.HeadComment, root.FootComment+doc.FootComment
	return root, nil
}

func emitSopsYAML(n *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(4) // as sops has it
	err := enc.Encode(n)
	return out.Bytes(), err
}

func parseSopsJSON(b []byte) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	n, err := jsonNode(dec, 0)
	if err == nil && n.Kind != yaml.MappingNode {
		err = errors.New("it is not an object")
	}
	return n, err
}

func jsonNode(dec *json.Decoder, depth int) (*yaml.Node, error) {
	t, err := dec.Token()
	if err != nil || depth > 1000 {
		return nil, errors.Join(err, errors.New("it is not JSON"))
	}
	n := &yaml.Node{}
	d, container := t.(json.Delim)
	if !container {
		if number, ok := t.(json.Number); ok {
			n.Kind, n.Value = yaml.ScalarNode, number.String() // its text stays as it is
			return n, nil
		}
		return n, n.Encode(t)
	}
	n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
	if d == '{' {
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
	}
	for dec.More() {
		c, err := jsonNode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, c)
	}
	_, err = dec.Token()
	return n, err
}

func emitSopsJSON(n *yaml.Node) ([]byte, error) {
	flat, err := jsonText(n)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, flat, "", "\t")
	return append(out.Bytes(), '\n'), err
}

func jsonText(n *yaml.Node) ([]byte, error) {
	if n.Kind == yaml.ScalarNode {
		if n.Tag == "" {
			return []byte(n.Value), nil // a number that was in clear
		}
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, err
		}
		return json.Marshal(v)
	}
	ends := "[]"
	if n.Kind == yaml.MappingNode {
		ends = "{}"
	}
	out := []byte{ends[0]}
	for i, c := range n.Content {
		switch {
		case i > 0 && n.Kind == yaml.MappingNode && i%2 == 1:
			out = append(out, ':')
		case i > 0:
			out = append(out, ',')
		}
		b, err := jsonText(c)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return append(out, ends[1]), nil
}

// emitSopsBinary is what a file holds that was encrypted as a whole.
func emitSopsBinary(n *yaml.Node) ([]byte, error) {
	if len(n.Content) == 2 && n.Content[0].Value == "data" {
		return []byte(n.Content[1].Value), nil
	}
	return nil, fmt.Errorf("it is encrypted by sops as JSON: its name should end in .json")
}
