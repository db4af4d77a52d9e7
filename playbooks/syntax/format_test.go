package syntax

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"arguments on a line", `host "x" { network="a" address  =  "b" }` + "\n", `host "x" { network = "a"  address = "b" }` + "\n"},
		{"blocks on a line", "a {}   b {}\n", "a {}  b {}\n"},
		{"nested", `p "x" { rule {a=1 b=2} rule {}  c=[1,2] }` + "\n", `p "x" { rule { a = 1  b = 2 }  rule {}  c = [1, 2] }` + "\n"},
		{"aligned", "a = 1\nbcd = 2 # x\n", "a   = 1\nbcd = 2 # x\n"},
		{"indented", "a {\nb {\nc = 1\n}\n}\n", "a {\n  b {\n    c = 1\n  }\n}\n"},
		{"label template", `x "a-${ each.key }" {a=1}` + "\n", `x "a-${each.key}" { a = 1 }` + "\n"},
		{"heredoc", "a {\nb = <<EOT\n  as  it is\n\tx = 1\nEOT\n}\n", "a {\n  b = <<EOT\n  as  it is\n\tx = 1\nEOT\n}\n"},
		{"carriage returns", "a {\r\nb=1\r\n}\r\n", "a {\r\n  b = 1\r\n}\r\n"},
		{"comments", "# x\n// y\na {\n/* z */ b=1 c=2 # d\n}\n", "# x\n// y\na {\n  /* z */ b = 1  c = 2 # d\n}\n"},
		{"no newline at the end", "a = 1", "a = 1"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, diags := Format("t.hcl", []byte(c.in))
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			if string(got) != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestFormatLeavesWhatIsBroken(t *testing.T) {
	for _, in := range []string{"a {", "a = \n", "a=1, b = 2", "a: 1", "- hosts: all\n", "\xff", "a = \x01", "x \"a\n${b}\" {}\n"} {
		got, diags := Format("t.hcl", []byte(in))
		if !diags.HasErrors() || string(got) != in {
			t.Errorf("%q becomes %q, with %v", in, got, diags)
		}
	}
}

// FuzzFormat: a file means the same afterwards, and a second time changes nothing.
func FuzzFormat(f *testing.F) {
	for _, pattern := range []string{"../examples/*/*.hcl", "../labs/*.hcl", "../labs/*/*.hcl"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		out, diags := Format("t.hcl", src)
		if diags.HasErrors() {
			for _, d := range diags {
				if d.Summary == "Not formatted" {
					t.Fatalf("%q is not formatted", src)
				}
			}
			return
		}
		if !slices.EqualFunc(tokens("t.hcl", src), tokens("t.hcl", out), sameToken) {
			t.Fatalf("%q\nbecomes %q", src, out)
		}
		if again, _ := Format("t.hcl", out); !bytes.Equal(again, out) {
			t.Fatalf("%q\nbecomes %q\nand then %q", src, out, again)
		}
	})
}
