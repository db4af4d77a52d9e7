package syntax

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"pgregory.net/rapid"
)

// What is drawn at random: blanks, line ends, comments, and the smallest expressions.
var (
	blanks   = rapid.SampledFrom([]string{"", " ", " ", "  ", "\t", " \t  "})
	gaps     = rapid.SampledFrom([]string{" ", "  ", "\t", " /* c */ "})
	lineEnds = rapid.SampledFrom([]string{"\n", "\n", "\n\n", "\r\n", "  \n", "\t\r\n\n\n", " # c \n", "// \u00e9 \t\r\n", "\n/* c\n  d */\n", "\n\t#\n"})
	idents   = rapid.SampledFrom([]string{"a", "b", "bc", "\u00e9", "long_name", "x-y"})
	simple   = rapid.SampledFrom([]string{
		"1", "1.5e3", "true", "null", "a", "b.c", "b[0]", "b.*.c", "b[*].c", `b["k"].d`, `""`, `"x"`, `"\u00e9  \t\" $${a} %%{b}"`,
		`"${a}"`, `"  ${  a  } ${~ "${ b }" ~} "`, `"%{ if a }  x %{ else }y%{ endif }"`, `"%{for v in b}${v}  %{endfor}"`, "[]", "{}",
	})
	heredocs = rapid.SampledFrom([]string{
		"<<E\n  x\n\ty = 1\nE\n", "<<-E\n    x\n      ${  a  }\n    E\n", "<<E\nE\n", "<<-E\r\n  x  \r\n\r\n  E\r\n", "<<E\nx\r\n# y\nE\r\n",
		"<<-E\n\t%{ if a ~}\n  {  }\n\t%{ endif ~}\n\tE\n",
	})
	binary = rapid.SampledFrom([]string{"+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"})
)

// writer draws a file. Within brackets lines may end wherever a blank may stand.
type writer struct {
	t    *rapid.T
	open int
}

func (w *writer) of(g *rapid.Generator[string]) string { return g.Draw(w.t, "part") }

func (w *writer) blank() string {
	if w.open > 0 && rapid.IntRange(0, 5).Draw(w.t, "line ends") == 0 {
		return w.of(lineEnds)
	}
	return w.of(blanks)
}

// list is what stands between brackets, divided by commas.
func (w *writer) list(begin, end string, element func() string) string {
	w.open++
	defer func() { w.open-- }()
	out := begin + w.blank()
	for n := rapid.IntRange(1, 3).Draw(w.t, "elements"); n > 0; n-- {
		out += element() + w.blank()
		if n > 1 {
			out += "," + w.blank()
		}
	}
	return out + end
}

func (w *writer) expression(depth int) string {
	if depth == 0 {
		return w.of(simple)
	}
	sub := func() string { return w.expression(depth - 1) }
	plain := func(f func() string) string { // what is within has no line ends of its own
		open := w.open
		w.open = 0
		defer func() { w.open = open }()
		return f()
	}
	switch rapid.IntRange(0, 10).Draw(w.t, "kind") {
	case 0, 1:
		return w.list("[", "]", sub)
	case 2:
		return w.list("{", "}", func() string {
			return plain(func() string {
				return w.of(idents) + w.of(blanks) + w.of(rapid.SampledFrom([]string{"=", " : "})) + w.of(blanks)
			}) + sub()
		})
	case 3:
		return w.list("(", ")", func() string { return sub() + w.blank() + w.of(binary) + w.blank() + sub() })
	case 4:
		return "upper" + w.list("(", ")", sub)
	case 5:
		return sub() + w.of(blanks) + w.of(binary) + w.of(gaps) + sub()
	case 6:
		return sub() + w.of(gaps) + "?" + w.of(blanks) + sub() + w.of(gaps) + ":" + w.of(blanks) + sub()
	case 7:
		return w.of(rapid.SampledFrom([]string{"!", "-"})) + w.of(blanks) + sub()
	case 8:
		return "[for" + w.of(gaps) + "v" + w.of(gaps) + "in" + w.of(gaps) + sub() + w.of(blanks) + ":" + w.of(gaps) + sub() + w.of(gaps) + "if" + w.of(gaps) + "a" + w.of(blanks) + "]"
	case 9:
		return "{for" + w.of(gaps) + "k" + w.of(blanks) + "," + w.of(blanks) + "v in b" + w.of(blanks) + ":" + w.of(blanks) + "k" + w.of(gaps) + "=>" + w.of(blanks) + sub() + w.of(blanks) + "}"
	}
	return `"x${` + w.of(blanks) + plain(sub) + w.of(blanks) + `}"`
}

// body draws arguments and blocks. between are on a line of their own or on one.
func (w *writer) body(depth int) string {
	out := w.of(lineEnds)
	for n := rapid.IntRange(0, 4).Draw(w.t, "items"); n > 0; n-- {
		out += w.of(blanks)
		switch rapid.IntRange(0, 3).Draw(w.t, "item") {
		case 0:
			if depth > 0 {
				out += w.of(idents) + w.of(gaps) + w.of(rapid.SampledFrom([]string{"", `"l"`, `"a-${ b }"  "c"`, `l "/etc/x"`})) + w.of(gaps) + "{" + w.body(depth-1) + w.of(blanks) + "}"
				break
			}
			out += w.of(idents) + " {}"
		case 1:
			out += w.of(idents) + w.of(blanks) + "=" + w.of(blanks) + w.of(heredocs)
			continue
		default:
			out += w.of(idents) + w.of(blanks) + "=" + w.of(gaps) + w.expression(2)
		}
		out += w.of(rapid.OneOf(lineEnds, lineEnds, gaps))
	}
	return out + w.of(lineEnds)
}

// formats is what must hold of any text.
func formats(t interface {
	Helper()
	Fatalf(string, ...any)
}, src []byte) (formatted bool) {
	t.Helper()
	out, diags := Format("t.hcl", src)
	if diags.HasErrors() {
		if diags[0].Summary == "Not formatted" {
			t.Fatalf("%q is not formatted", src)
		}
		return false
	}
	if again, _ := Format("t.hcl", out); !bytes.Equal(again, out) {
		t.Fatalf("%q\nbecomes %q\nand then %q", src, out, again)
	}
	if was, is := comments(src), comments(out); !slices.Equal(was, is) {
		t.Fatalf("%q\nbecomes %q\ncomments %q\nbecome %q", src, out, was, is)
	}
	before, _ := Parse("t.hcl", src)
	after, diags := Parse("t.hcl", out)
	if diags.HasErrors() {
		t.Fatalf("%q\nbecomes %q, which is faulty: %v", src, out, diags)
	}
	if was, is := before.meaning(), after.meaning(); !slices.Equal(was, is) {
		t.Fatalf("%q\nbecomes %q\nwhich meant %q\nand means %q", src, out, was, is)
	}
	return true
}

func comments(src []byte) (out []string) {
	for _, tok := range tokens("t.hcl", src) {
		if tok.Type == hclsyntax.TokenComment {
			out = append(out, strings.TrimRight(string(tok.Bytes), " \t\r\n"))
		}
	}
	return out
}

// names are those that expressions at random refer to.
var names = &hcl.EvalContext{
	Variables: map[string]cty.Value{
		"a": cty.True,
		"b": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"c": cty.StringVal("  c"), "k": cty.Zero})}),
	},
	Functions: map[string]function.Function{"upper": stdlib.UpperFunc},
}

// meaning lists the blocks and arguments of a file, with the values that those have here. What cannot be evaluated is told by the messages.
func (f *File) meaning() (out []string) {
	value := func(what string, e hcl.Expression) {
		v, diags := e.Value(names)
		for _, d := range diags {
			what += " " + d.Summary
		}
		out = append(out, what+" = "+v.GoString())
	}
	var body func(at string, b *hclsyntax.Body)
	body = func(at string, b *hclsyntax.Body) {
		for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
			value(at+name, b.Attributes[name].Expr)
		}
		for i, sub := range b.Blocks {
			out = append(out, at+sub.Type)
			for n, l := range sub.Labels {
				value(at+"label", f.Label(l, sub.LabelRanges[n]))
			}
			body(at+string(rune('0'+i))+".", sub.Body)
		}
	}
	body("", f.Body.(*hclsyntax.Body))
	return out
}

// TestFormatAtRandom: a file means the same afterwards, with the comments it had, and a second time changes nothing.
func TestFormatAtRandom(t *testing.T) {
	done, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		all++
		if formats(t, []byte((&writer{t: t}).body(2))) {
			done++
		}
	})
	if done < all/4 {
		t.Errorf("only %d of %d files can be read", done, all)
	}
}

// FuzzFormat is the same of files that the fuzzer chooses by what they lead to. What is drawn uses up bytes: a seed has enough for a file.
func FuzzFormat(f *testing.F) {
	seeds := rand.NewChaCha8([32]byte{})
	for range 20 {
		seed := make([]byte, 16<<10)
		_, _ = seeds.Read(seed) // it never fails
		f.Add(seed)
	}
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { formats(t, []byte((&writer{t: t}).body(3))) }))
}

// FuzzFormatText is the same of any text.
func FuzzFormatText(f *testing.F) {
	for _, src := range []string{
		`a "${b}" { c = 1 d = [2] e { f = "g" h = {} } }`, "a { b = <<X\n ${ c }\nX\n}", "a=1 # x\nbcd=2// y\n/* z */ e=[1,\n# w\n2]\n", "a {\r\nb=1\n}\r\n",
		"a = b ? c : d\ne = [for x in y : x if z]\nf = { for k,v in w:k=>v... }\ng = \"%{ if a }b%{ endif }\"\n", "\xef\xbb\xbfa=1",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) { formats(t, src) })
}

// TestFormatExamples: so it is of all files that come with labctl.
func TestFormatExamples(t *testing.T) {
	n := 0
	for _, pattern := range []string{"../examples/*/*.hcl", "../labs/*.hcl", "../labs/*/*.hcl"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n++; !formats(t, src) {
				t.Errorf("%s is faulty", file)
			}
		}
	}
	if n == 0 {
		t.Error("there are none")
	}
}
