package syntax

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Every node of the tree must lie, in the source as written, where its text is.
func TestRangesPointIntoTheSource(t *testing.T) {
	src := `variable "vni" { type = number  default = 100 } variable "é" {}
play "p" { hosts = "a"  become = true
  vxlan "v${each.value}" { vni = var.vni  dev = dev  rule { x = [1, 2] } rule { x = {a = 1} } }
  x "l" { when = host.name == "boxA"  expect = "reachable" } # comment
}
é "x" { a = "ü" b = long_name }
`
	f, diags := Parse("t.hcl", []byte(src))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	text := func(r hcl.Range) string { return string(r.SliceBytes([]byte(src))) }
	n := 0
	hclsyntax.VisitAll(f.Body.(*hclsyntax.Body), func(node hclsyntax.Node) hcl.Diagnostics {
		switch x := node.(type) {
		case *hclsyntax.Attribute:
			n++
			if text(x.NameRange) != x.Name || text(x.EqualsRange) != "=" {
				t.Errorf("argument %s lies at %q, %q", x.Name, text(x.NameRange), text(x.EqualsRange))
			}
		case *hclsyntax.Block:
			n++
			if text(x.TypeRange) != x.Type || text(x.OpenBraceRange) != "{" || text(x.CloseBraceRange) != "}" {
				t.Errorf("block %s lies at %q %q %q", x.Type, text(x.TypeRange), text(x.OpenBraceRange), text(x.CloseBraceRange))
			}
		case *hclsyntax.ScopeTraversalExpr:
			n++
			if root := x.Traversal[0].(hcl.TraverseRoot); text(root.SrcRange) != root.Name {
				t.Errorf("root %s lies at %q", root.Name, text(root.SrcRange))
			}
		}
		return nil
	})
	if n < 25 {
		t.Errorf("only %d nodes seen", n)
	}
	last := f.Body.(*hclsyntax.Body).Blocks[3].Body.Attributes["b"]
	if got := last.SrcRange.String(); got != "t.hcl:6,17-30" {
		t.Errorf("columns count characters: %s", got)
	}
}

func TestTemplateLabels(t *testing.T) {
	f, diags := Parse("t.hcl", []byte(`x "a-${up["k"]}" "plain" {}`+"\n"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	b := f.Body.(*hclsyntax.Body).Blocks[0]
	if !f.IsTemplate(b.Labels[0]) || f.IsTemplate(b.Labels[1]) || f.Source(b.Labels[0]) != `a-${up["k"]}` {
		t.Fatalf("labels %q", b.Labels)
	}
	v, diags := f.Label(b.Labels[0], b.LabelRanges[0]).Value(&hcl.EvalContext{Variables: map[string]cty.Value{
		"up": cty.ObjectVal(map[string]cty.Value{"k": cty.StringVal("V")}),
	}})
	if diags.HasErrors() || v.AsString() != "a-V" {
		t.Errorf("got %#v %v", v, diags)
	}
}

func TestPlainHCLIsLeftAlone(t *testing.T) {
	for _, src := range []string{
		"a = 1\nb {\n  c = { d = 1, e = 2 }\n  f {}\n}\n",
		"a = [for x in y : x\n if x]\nb = <<EOT\n${c} = {\nEOT\n",
		"/* c */ a = \"x = ${\"y = {\"}\"\n",
	} {
		rw := &rewriter{src: []byte(src), name: "t"}
		if got := string(rw.rewrite()); got != src {
			t.Errorf("rewritten:\n%s", got)
		}
	}
}

func TestRefused(t *testing.T) {
	for src, want := range map[string]string{
		"a = \"\xff\"\n":     "not UTF-8",
		"a = \"\x01\"\n":     "control character",
		"a = 1 2\n":          "newline",
		"a = b = 1\n":        "compared by ==",
		"a = b and c\n":      "Write && for and.",
		"a = \"b\" in [c]\n": "contains(LIST, VALUE)",
		"x \"y\" { a = 1, }": "",
		"a = (\n":            "",
	} {
		_, diags := Parse("t.hcl", []byte(src))
		if !diags.HasErrors() || !strings.Contains(diags.Error(), want) {
			t.Errorf("%q: %v", src, diags)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`a "${b}" { c = 1 d = [2] e { f = "g" h = {} } }`))
	f.Add([]byte("a { b = <<X\n${c}\nX\n}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		file, diags := Parse("f.hcl", src)
		for _, d := range diags {
			if d.Subject != nil && (d.Subject.Start.Byte < 0 || d.Subject.Start.Byte > len(src)) {
				t.Errorf("%v lies outside of the file", d)
			}
		}
		if file.Body == nil {
			t.Error("no body")
		}
	})
}
