package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Files of sops are read here and not by its library, which brings the SDKs of every cloud along: 123 modules, and a labctl of 44 MB more.
// What a key of age opens is enough to read them: the form is documented (getsops.io, "Encryption protocol"). Files for other kinds
// of keys take sops itself.

// sopsMeta is what a file says of itself.
type sopsMeta struct {
	Age []struct {
		Enc string `yaml:"enc"`
	} `yaml:"age"`
	Groups           []any  `yaml:"key_groups"`
	LastModified     string `yaml:"lastmodified"`
	MAC              string `yaml:"mac"`
	MACOnlyEncrypted bool   `yaml:"mac_only_encrypted"`
}

func (k *Keys) openSops(name string, b []byte) ([]byte, error) {
	form := sopsFormOf(name)
	if form.parse == nil {
		return nil, fmt.Errorf("it is encrypted by sops in a form that labctl does not read: sops -d %s prints what is in it", name)
	}
	root, err := form.parse(b)
	if err != nil {
		return nil, fmt.Errorf("it is encrypted by sops, and cannot be read: %w", err)
	}
	meta, err := takeMeta(root)
	if err != nil {
		return nil, err
	}
	key, err := k.dataKey(name, meta)
	if err != nil {
		return nil, err
	}
	d := &sopsReader{key: key, meta: meta, sum: sha512.New()}
	if err := d.check(root); err != nil {
		return nil, err
	}
	return form.emit(root)
}

// takeMeta takes the metadata out of a file.
func takeMeta(root *yaml.Node) (*sopsMeta, error) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "sops" {
			continue
		}
		m := &sopsMeta{}
		if err := root.Content[i+1].Decode(m); err != nil {
			return nil, errors.New("it is encrypted by sops, and what it says of its keys cannot be read")
		}
		if above := root.Content[i].HeadComment; above != "" { // which was the last of the file
			root.FootComment = strings.TrimPrefix(root.FootComment+"\n\n"+above, "\n\n")
		}
		root.Content = append(root.Content[:i:i], root.Content[i+2:]...)
		return m, nil
	}
	return nil, errors.New("it is encrypted by sops, but says nothing of its keys")
}

// dataKey is the key of the file, which is encrypted for each of those who may open it.
func (k *Keys) dataKey(name string, m *sopsMeta) ([]byte, error) {
	if len(m.Groups) > 1 {
		return nil, fmt.Errorf("it is encrypted by sops with a key that is shared out among groups, which labctl does not put together: sops -d %s prints what is in it", name)
	}
	if len(m.Age) == 0 {
		return nil, fmt.Errorf("it is encrypted by sops for no key of age, and labctl has no other (no PGP, no KMS of a cloud): sops -d %s prints what is in it", name)
	}
	var err error
	for _, a := range m.Age {
		var key []byte
		if key, _, err = k.openAge(name, []byte(a.Enc)); err == nil {
			if len(key) != 32 {
				return nil, errors.New("it is encrypted by sops, with a key of another length than AES-256 has")
			}
			return key, nil
		}
	}
	return nil, fmt.Errorf("it is a file of sops: its key: %w", err)
}

// sopsReader decrypts a tree in place, and sums up what is in it.
type sopsReader struct {
	key  []byte
	meta *sopsMeta
	sum  hash.Hash
}

// macOnlyEncrypted begins the sum where only encrypted values are in it (MACOnlyEncryptedInitialization in sops.go).
var macOnlyEncrypted = []byte{0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0xb, 0xb, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69}

// check decrypts a tree and compares its sum with the one that the file has.
func (d *sopsReader) check(root *yaml.Node) error {
	when, err := time.Parse(time.RFC3339, d.meta.LastModified)
	if err != nil {
		return errors.New("it is encrypted by sops, and does not say when it was changed")
	}
	if d.meta.MACOnlyEncrypted {
		d.sum.Write(macOnlyEncrypted)
	}
	if err := d.mapping(root, nil); err != nil {
		return err
	}
	want, _, err := d.decrypt(d.meta.MAC, when.Format(time.RFC3339))
	if err != nil || subtle.ConstantTimeCompare(want, fmt.Appendf(nil, "%X", d.sum.Sum(nil))) != 1 {
		return errors.New("it is encrypted by sops, and was changed since: its MAC does not match")
	}
	return nil
}

func (d *sopsReader) mapping(n *yaml.Node, path []string) error {
	d.comments(n, path)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		d.comments(key, path)
		if err := d.node(n.Content[i+1], append(path[:len(path):len(path)], key.Value), path); err != nil {
			return err
		}
	}
	return nil
}

// node decrypts what is at a path. The elements of a list have the path of the list.
func (d *sopsReader) node(n *yaml.Node, path, around []string) error {
	switch n.Kind {
	case yaml.MappingNode:
		return d.mapping(n, path)
	case yaml.SequenceNode:
		d.comments(n, path)
		for _, c := range n.Content {
			if err := d.node(c, path, path); err != nil {
				return err
			}
		}
		return nil
	case yaml.AliasNode:
		return errors.New("it is encrypted by sops, and refers to parts of itself, which labctl does not follow there")
	}
	d.comments(n, around)
	return d.scalar(n, path)
}

func (d *sopsReader) scalar(n *yaml.Node, path []string) error {
	var v any
	encrypted := sopsValue.MatchString(n.Value)
	if encrypted {
		b, kind, err := d.decrypt(n.Value, strings.Join(path, ":")+":")
		if err == nil {
			v, err = typed(kind, b)
		}
		if err != nil {
			return fmt.Errorf("it is encrypted by sops, and the value of %s was changed since", strings.Join(path, "."))
		}
		if err := replace(n, v); err != nil {
			return err
		}
	} else if err := n.Decode(&v); err != nil {
		return fmt.Errorf("it is encrypted by sops, and the value of %s cannot be read", strings.Join(path, "."))
	}
	if v != nil && (encrypted || !d.meta.MACOnlyEncrypted) {
		d.sum.Write(summed(v))
	}
	return nil
}

// replace puts a value where its encrypted form was.
func replace(n *yaml.Node, v any) error {
	var to yaml.Node
	if err := to.Encode(v); err != nil {
		return err
	}
	n.Tag, n.Value, n.Style = to.Tag, to.Value, to.Style
	return nil
}

// comments decrypts them; they are not in the sum, and older files have them in clear.
func (d *sopsReader) comments(n *yaml.Node, path []string) {
	for _, c := range []*string{&n.HeadComment, &n.LineComment, &n.FootComment} {
		rows := strings.Split(*c, "\n")
		for i, row := range rows {
			if b, _, err := d.decrypt(strings.TrimPrefix(row, "#"), strings.Join(path, ":")+":"); err == nil {
				rows[i] = "#" + string(b)
			}
		}
		*c = strings.Join(rows, "\n")
	}
}

var sopsValue = regexp.MustCompile(`^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]$`)

// decrypt opens one value. What it belongs to, its path, is part of what is authenticated.
func (d *sopsReader) decrypt(text, belongs string) (plain []byte, kind string, err error) {
	m := sopsValue.FindStringSubmatch(text)
	if m == nil {
		return nil, "", errors.New("not a value of sops")
	}
	var parts [3][]byte
	for i := range parts {
		if parts[i], err = base64.StdEncoding.DecodeString(m[i+1]); err != nil {
			return nil, "", err
		}
	}
	block, err := aes.NewCipher(d.key)
	if err != nil {
		return nil, "", err
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(parts[1]))
	if err != nil {
		return nil, "", err
	}
	plain, err = gcm.Open(nil, parts[1], bytes.Join([][]byte{parts[0], parts[2]}, nil), []byte(belongs))
	return plain, m[4], err
}
