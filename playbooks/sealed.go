package playbooks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"labctl/inventory/secrets"
	"labctl/playbooks/syntax"
)

// openFile reads a file, and opens it if it is encrypted.
func openFile(keys *secrets.Keys, path string) (text []byte, sealed bool, err error) {
	b, err := readFile(path)
	if err != nil {
		return nil, false, err
	}
	text, kind, err := keys.Open(path, b)
	return text, kind != secrets.None, err
}

// read reads a file that is to be sent. What is encrypted is opened, and then kept in memory: nothing of it is on a disk here.
func (c *contents) read(path string) (fileContent, error) {
	f, err := hashFile(path)
	if err != nil {
		return f, err
	}
	kind, err := c.kindOf(path, f)
	if err != nil || kind == secrets.None {
		return f, err
	}
	text, _, err := openFile(c.keys, path)
	if err != nil {
		return fileContent{}, cause(err)
	}
	sum := sha256.Sum256(text)
	out := fileContent{sealed: true, FileRef: FileRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Data: text, secret: isPrivateKey(string(text))}}
	if len(text) <= maxInline && utf8.Valid(text) {
		s := string(text)
		out.text = &s
	}
	return out, nil
}

// asked is the file that a task sends: opened, unless the task says that it is to be sent as it is. The host is not told of that.
func (c *contents) asked(path string, b *body) (fileContent, error) {
	open, said := b.params["decrypt"].(bool)
	delete(b.params, "decrypt")
	if !said || open {
		return c.file(path)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := "as it is: " + path
	if f, ok := c.files[key]; ok {
		return f, c.errs[key]
	}
	f, err := hashFile(path)
	c.files[key], c.errs[key] = f, err
	return f, err
}

// kindOf tells by what a file is encrypted. One that is larger than what is opened is not looked at as a whole: sops does not
// encrypt such.
func (c *contents) kindOf(path string, f fileContent) (secrets.Kind, error) {
	if f.text != nil {
		return secrets.KindOf(path, []byte(*f.text)), nil
	}
	if kind := secrets.KindOf(path, f.head); kind != secrets.None || f.Size > syntax.MaxSize || !secrets.MayBeSops(path, f.head) {
		return kind, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return secrets.None, cause(err)
	}
	return secrets.KindOf(path, b), nil
}

// sumFunction yields the SHA-256 of what a copy of the file would be.
func (s *Site) sumFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			c, err := s.contents.file(s.path(a[0].AsString()))
			if c.sealed {
				return cty.StringVal(c.SHA256).Mark(sensitive), err
			}
			return cty.StringVal(c.SHA256), err
		},
	})
}

// textOf makes a function of a file's name. What it yields of an encrypted file is sensitive.
func (s *Site) textOf(do func(name string, text []byte) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			name := a[0].AsString()
			text, sealed, err := openFile(s.keys, s.path(name))
			if err != nil {
				return cty.NilVal, fmt.Errorf("read %s: %w", name, cause(err))
			}
			out, err := do(name, text)
			if err != nil {
				return cty.NilVal, err
			}
			if sealed {
				return cty.StringVal(out).Mark(sensitive), nil
			}
			return cty.StringVal(out), nil
		},
	})
}

// decryptFunction opens a single value.
func (s *Site) decryptFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			text, marks := a[0].Unmark()
			plain, err := s.keys.Value(text.AsString())
			if err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(plain).WithMarks(marks).Mark(sensitive), nil
		},
	})
}

// hidden takes out of diagnostics what could show the text of an encrypted file.
func hidden(diags hcl.Diagnostics) hcl.Diagnostics {
	var out hcl.Diagnostics
	for _, d := range diags {
		c := *d
		c.Detail = "What was encrypted in it is at fault, so no more can be said here."
		c.Expression, c.EvalContext = nil, nil
		out = append(out, &c)
	}
	return out
}
