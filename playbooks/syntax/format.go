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

// formatOnce formats without carriage returns, which HCL's formatter does not know, and gives each line its own back: formatting
// moves nothing to another line, and within a heredoc they are part of the text.
func formatOnce(name string, src []byte) []byte {
	if !bytes.Contains(src, []byte("\r\n")) {
		return apart(name, hclwrite.Format(src))
	}
	out := apart(name, hclwrite.Format(bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))))
	had, rows := bytes.Split(src, []byte("\n")), bytes.Split(out, []byte("\n"))
	if len(had) != len(rows) {
		return out // which Format refuses
	}
	var back bytes.Buffer
	for i, row := range rows {
		back.Write(row)
		if i == len(rows)-1 {
			break
		}
		if bytes.HasSuffix(had[i], []byte("\r")) {
			back.WriteByte('\r')
		}
		back.WriteByte('\n')
	}
	return back.Bytes()
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
	return a.Type == b.Type && bytes.Equal(a.Bytes, b.Bytes)
}
