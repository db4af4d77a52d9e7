package syntax

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2"
)

var (
	bareLabel  = regexp.MustCompile(`^\s*([A-Za-z_]\w*)\s+([^\s"{}=]+)\s*\{`)
	dotted     = regexp.MustCompile(`^\s*(?:[a-z_]\w*\.)+([a-z_]\w*)\s+["{]`)
	bareNumber = regexp.MustCompile(`^[0-9][0-9A-Fa-f.:/]*`)
	nextWord   = regexp.MustCompile(`^\s*(==?|\w+)`)
	lastWord   = regexp.MustCompile(`(\w+)\s*$`)
)

// operators are those of other languages, and what is written here.
var operators = map[string]string{
	"=":   "Two values are compared by ==.",
	"and": "Write && for and.",
	"or":  "Write || for or.",
	"is":  "Write == or !=.",
	"in":  "Write contains(LIST, VALUE).",
}

// advise adds to what HCL says of src what was probably meant.
func advise(src []byte, diags hcl.Diagnostics) {
	for _, d := range diags {
		if d.Subject == nil || d.Subject.Start.Byte > len(src) {
			continue
		}
		line, at := lineOf(src, d.Subject.Start.Byte)
		advice := ""
		switch d.Summary {
		case "Argument or block definition required":
			if m := bareLabel.FindSubmatch(line); m != nil {
				advice = fmt.Sprintf("A label is written in quotes: %s %q { ... }", m[1], bytes.Trim(m[2], "'`\u2018\u2019\u201c\u201d"))
			}
			if m := dotted.FindSubmatch(line); m != nil {
				advice = fmt.Sprintf("A module has a name without dots: %s \"...\" { ... }", m[1])
			}
			if at < len(line) && line[at] == '}' {
				d.Summary, advice = "Brace too many", "This brace closes nothing: there is one } too many, here or above."
			}
		case "Invalid number literal":
			if m := bareNumber.Find(line[at:]); m != nil {
				advice = fmt.Sprintf("A text, such as an address, is written in quotes: %q.", m)
			}
		case "Missing newline after argument":
			advice = operator(line[:at], line[at:])
		}
		if advice != "" {
			d.Detail = advice
		}
	}
}

// operator says what is written for the operator of another language between two parts of a line.
func operator(before, after []byte) string {
	if m := lastWord.FindSubmatch(before); m != nil && string(m[1]) == "not" {
		return "Write ! for not."
	}
	if m := nextWord.FindSubmatch(after); m != nil {
		return operators[string(m[1])]
	}
	return ""
}

// lineOf is the line of src with the byte at, and where in it that is.
func lineOf(src []byte, at int) ([]byte, int) {
	start, end := at, at
	for start > 0 && src[start-1] != '\n' {
		start--
	}
	for end < len(src) && src[end] != '\n' {
		end++
	}
	return src[start:end], at - start
}
