package syntax

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// TestTemplateInPieces parses templates, good ones and others, whole and in pieces, and compares what they yield. Of one at
// fault hclsyntax may say more, or where a fault has begun, when it parses less at a time.
func TestTemplateInPieces(t *testing.T) {
	words := []string{"a line\n", "a line\n", "a line\n", " blanks  \n", "\n", "$${x}\n", "$", "%", "é", "${v}", "${v}\n", "${~ v ~}", "  ${~ v}\n", "${v ~}\n  ", "${\n  v\n}",
		"${\"in ${v}\n\"}", "${{a = v}.a}", "%{ if true }", "%{ if v == \"v\" ~}\n", "%{ else }\n", "%{ endif }\n", "%{~ endif ~}", "%{ for x in [1, 2] }", "${x}", "%{ endfor }\n",
		"${", "}", "%{ nonsense }", "${nobody}\n", "\r\n", "%{ if true }yes\n%{ endif }\n", "%{ for x in [1, 2] ~}\n${x}\n%{ endfor ~}\n"}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"v": cty.StringVal("v")}}
	r := rand.New(rand.NewPCG(1, 2))
	good := 0
	for range 20000 {
		var b strings.Builder
		for range 1 + r.IntN(12) {
			b.WriteString(words[r.IntN(len(words))])
		}
		src := []byte(b.String())
		want, faults := hclsyntax.ParseTemplate(src, "t", hcl.InitialPos)
		got, diags := template(src, "t", 1+r.IntN(20))
		if diags.HasErrors() != faults.HasErrors() {
			t.Fatalf("%q:\n got %v\nwant %v", src, diags, faults)
		}
		if faults.HasErrors() {
			continue
		}
		good++
		x, faults := want.Value(ctx)
		y, diags := got.Value(ctx)
		if !x.RawEquals(y) || len(diags) != len(faults) || got.Range() != want.Range() {
			t.Fatalf("%q:\n got %#v %v %v\nwant %#v %v %v", src, y, diags, got.Range(), x, faults, want.Range())
		}
	}
	if good < 2000 {
		t.Errorf("only %d templates were good", good)
	}
}

// BenchmarkTemplate: twice as many lines take twice as long.
func BenchmarkTemplate(b *testing.B) {
	for _, size := range []string{"1MB", "2MB", "10MB"} {
		line := "a line of ${v}, and some more of it, which is plain\n"
		text := []byte(strings.Repeat(line, map[string]int{"1MB": 1, "2MB": 2, "10MB": 10}[size]<<20/len(line)))
		b.Run(size, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, diags := Template(text, "t"); diags.HasErrors() {
					b.Fatal(diags)
				}
			}
		})
	}
}
