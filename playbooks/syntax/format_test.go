package syntax

import "testing"

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
		{"line ends of two kinds", "a {\r\nb = <<EOT\nx\r\ny\nEOT\r\n}\r\n# z\n", "a {\r\n  b = <<EOT\nx\r\ny\nEOT\r\n}\r\n# z\n"},
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
