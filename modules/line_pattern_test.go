package modules

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What people write into lineinfile.
var patterns = []string{
	``, `a`, `^a`, `a$`, `^$`, `a|b`, `(a|b)c`, `(?:ab)+`, `a*b`, `a+?b`, `^#?\s*PermitRootLogin\b`, `^net\.ipv4\.ip_forward\s*=`,
	`^\s*[^#]`, `[a-c-]`, `[]a]`, `[^]a]`, `\d{2,3}`, `a{2}`, `a{2,}`, `a{,2}`, `x{0}y`, `(?i)root`, `(?i)[a-c]b`, `(?i)[^a]`, `\.conf$`,
	`[[:space:]]+$`, `[[:^digit:]]`, `(a*)*b`, `(a|b|)*$`, `\bfoo\b`, `\Boo`, `^(127\.0\.0\.1|::1)\s+localhost`, `ä+`, `\w+@\w+`, `[\d.]+/\d+`,
	`\\`, `\[mysqld\]`, `^%sudo`, `.`, `a.c`, `\t`, `()`, `(|a)`, `^*a`, `[\w-]+`, `a{1,2}{3}`, `a**`, `(`, `)`, `[`, `[z-a]`, `\`, `*a`, `[[:foo:]]`, `\q`,
}

var subjects = []string{
	"", "a", "b", "ab", "abab", "aab", "aaa", "abc", "#PermitRootLogin yes", "PermitRootLogin no", "PermitRootLoginX", " # x", "net.ipv4.ip_forward = 1",
	"ROOT", "rOoT", "AB", "x.conf", "xconf", "12", "1234", "foo bar", "foobar", "127.0.0.1 localhost", "::1\tlocalhost", "ä", "Ä", "me@host", "10.0.0.1/24",
	`\`, "[mysqld]", "%sudo ALL", "a\tc", "]", "-", "xy", "y", "a{,2}", "\xff", "K\u212a", "trail  ",
}

func TestPatternAgreesWithRegexp(t *testing.T) {
	for _, expr := range patterns {
		re, reErr := regexp.Compile(expr)
		p, err := compilePattern(expr)
		if (err == nil) != (reErr == nil) {
			t.Errorf("compile %q: %v, package regexp: %v", expr, err, reErr)
			continue
		}
		for _, s := range subjects {
			if err == nil && p.match(s) != re.MatchString(s) {
				t.Errorf("match %q in %q: %v", expr, s, p.match(s))
			}
		}
	}
}

func TestPatternAgreesWithRegexpAtRandom(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "A", ".", "^", "$", "(", ")", "|", "*", "+", "?", "[ab]", "[^a]", `\b`, `\d`, `\W`, "{2}", "{0,1}", "{1,}", "(?:", "1", "_", " ", "[a-"})
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abA1_ .\u00e9")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		expr := strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), "")
		expr = strings.ReplaceAll(expr, "(?)", "()") // no flags: others than package regexp refuse that, too
		if rapid.Bool().Draw(t, "fold") {
			expr = "(?i)" + expr
		}
		re, reErr := regexp.Compile(expr)
		p, err := compilePattern(expr)
		if (err == nil) != (reErr == nil) {
			t.Fatalf("compile %q: %v, package regexp: %v", expr, err, reErr)
		}
		if s := text.Draw(t, "text"); err == nil && p.match(s) != re.MatchString(s) {
			t.Fatalf("match %q in %q: %v", expr, s, p.match(s))
		}
	})
}

func TestPatternBounds(t *testing.T) {
	for _, expr := range []string{strings.Repeat("(", 5000), strings.Repeat("a", 100000), "((a{100}){100}){100}", "a{1001}"} {
		if _, err := compilePattern(expr); err == nil {
			t.Errorf("%.20q... compiles", expr)
		}
	}
	p, err := compilePattern("(a*)*(a|aa)*b")
	if err != nil {
		t.Fatal(err)
	}
	if p.match(strings.Repeat("a", 10000)) { // exponential for a backtracker
		t.Error("matches")
	}
}
