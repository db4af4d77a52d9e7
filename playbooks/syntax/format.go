package syntax

import (
	"bytes"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the one form that files have: HCL's own, with two blanks between the arguments that share a line.
// It changes blanks within lines and nothing else: the tokens of what it returns are those of src. A file with faults of
// syntax is left as it is.
func Format(name string, src []byte) ([]byte, hcl.Diagnostics) {
	if _, diags := Parse(name, src); diags.HasErrors() {
		return src, diags
	}
	out := src
	for range maxPasses { // a line that moves may change what those beside it are aligned to
		next := formatOnce(name, out)
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	if !slices.EqualFunc(tokens(name, src), tokens(name, out), sameToken) {
		return src, fault(name, src, 0, "Not formatted", "labctl cannot format this file without changing what it says; it is left as it is.")
	}
	return out, nil
}

const maxPasses = 5

func formatOnce(name string, src []byte) []byte {
	crlf := bytes.Contains(src, []byte("\r\n"))
	if crlf {
		src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	}
	out := apart(name, hclwrite.Format(src))
	if crlf {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	return out
}

// apart puts two blanks between the items of a body that stand on one line: one blank, which is what HCL leaves, does not
// tell where the next begins.
func apart(name string, src []byte) []byte {
	rw := &rewriter{src: src, name: name}
	rw.rewrite()
	var out bytes.Buffer
	done := 0
	for _, at := range rw.between {
		out.Write(bytes.TrimRight(src[done:at], " \t"))
		out.WriteString("  ")
		done = at
	}
	out.Write(src[done:])
	return out.Bytes()
}

func tokens(name string, src []byte) hclsyntax.Tokens {
	toks, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	return toks
}

func sameToken(a, b hclsyntax.Token) bool {
	return a.Type == b.Type && bytes.Equal(bytes.TrimRight(a.Bytes, "\r\n"), bytes.TrimRight(b.Bytes, "\r\n"))
}
