package secrets

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseSopsEnv reads NAME=value lines. The metadata has names that begin with sops_, and lists and objects within them are spelt out
// (stores/flatten.go): sops_age__list_0__map_enc.
func parseSopsEnv(b []byte) (*yaml.Node, error) {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	meta := &sopsMeta{}
	comment := ""
	for row := range strings.Lines(string(b)) {
		row = strings.TrimSuffix(row, "\n")
		name, value, ok := strings.Cut(row, "=")
		switch {
		case row == "":
		case row[0] == '#':
			comment += row + "\n"
		case !ok:
			return nil, fmt.Errorf("a line of it is not NAME=value")
		case strings.HasPrefix(name, "sops_"):
			if err := envMeta(meta, strings.TrimPrefix(name, "sops_"), strings.ReplaceAll(value, `\n`, "\n")); err != nil {
				return nil, err
			}
		default:
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, HeadComment: strings.TrimSuffix(comment, "\n")}
			root.Content = append(root.Content, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.ReplaceAll(value, `\n`, "\n")})
			comment = ""
		}
	}
	root.FootComment = strings.TrimSuffix(comment, "\n")
	var n yaml.Node
	if err := n.Encode(meta); err != nil {
		return nil, err
	}
	root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "sops"}, &n)
	return root, nil
}

func envMeta(m *sopsMeta, name, value string) (err error) {
	switch name {
	case "lastmodified":
		m.LastModified = value
	case "mac":
		m.MAC = value
	case "mac_only_encrypted":
		m.MACOnlyEncrypted, err = strconv.ParseBool(value)
	}
	if strings.HasPrefix(name, "age__list_") && strings.HasSuffix(name, "__map_enc") {
		m.Age = append(m.Age, struct {
			Enc string `yaml:"enc"`
		}{value})
	}
	if strings.HasPrefix(name, "key_groups__list_1") {
		m.Groups = []any{nil, nil}
	}
	return err
}

func emitSopsEnv(n *yaml.Node) ([]byte, error) {
	var out strings.Builder
	comment := func(s string) {
		if s != "" {
			out.WriteString(s + "\n")
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		comment(n.Content[i].HeadComment)
		fmt.Fprintf(&out, "%s=%s\n", n.Content[i].Value, strings.ReplaceAll(n.Content[i+1].Value, "\n", `\n`))
	}
	comment(n.FootComment)
	return []byte(out.String()), nil
}
