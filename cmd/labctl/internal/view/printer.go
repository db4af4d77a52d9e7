package view

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// color is the parameter of an SGR sequence. The values are those of Ansible's lib/ansible/constants.py (COLOR_CODES).
type color string

const (
	green        color = "0;32"
	yellow       color = "0;33"
	red          color = "0;31"
	brightRed    color = "1;31"
	cyan         color = "0;36"
	brightPurple color = "1;35"
	blue         color = "0;34"
	darkGray     color = "1;30"
	bold         color = "1"
)

// chunk is text for one of the two streams.
type chunk struct {
	toErr bool
	text  string
}

// printer collects the text that folds produce, in order, until the owner of the terminal takes it.
type printer struct {
	color   bool
	defuse  bool // see defused
	width   int
	pending []chunk
	size    int // bytes pending
}

func newPrinter(o Options) *printer {
	p := &printer{color: o.Color, width: o.Width, defuse: o.GitHub}
	if p.width <= 0 {
		p.width = 80
	}
	return p
}

// take returns what has been printed since the last call.
func (p *printer) take() []chunk {
	out := p.pending
	p.pending, p.size = nil, 0
	return out
}

func (p *printer) add(toErr bool, text string) {
	if p.defuse {
		text = defused(text)
	}
	p.put(toErr, text)
}

// command prints a line for the program that reads the output.
func (p *printer) command(text string) { p.put(false, text+"\n") }

func (p *printer) put(toErr bool, text string) {
	p.pending = append(p.pending, chunk{toErr, text})
	p.size += len(text)
}

// line prints text and a newline to Out.
func (p *printer) line(text string) { p.add(false, text+"\n") }

// errLine prints text and a newline to Err.
func (p *printer) errLine(text string) { p.add(true, text+"\n") }

// paint wraps every line of text in c, as Ansible's stringc does, so that a line cut out by grep keeps its colour.
func (p *printer) paint(c color, text string) string {
	if !p.color || c == "" || text == "" {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = "\x1b[" + string(c) + "m" + l + "\x1b[0m"
	}
	return strings.Join(lines, "\n")
}

// banner prints an empty line and text followed by stars up to the last column, three at least (Ansible's Display.banner).
func (p *printer) banner(text string) {
	text = clean(strings.TrimSpace(text))
	stars := max(p.width-1-textWidth(text), 3)
	p.line("\n" + text + " " + strings.Repeat("*", stars))
}

// textWidth returns the number of terminal cells that s takes.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x20 || r == 0x7f, unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x300:
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// truncate cuts s to at most n cells, with an ellipsis where something is missing.
func truncate(s string, n int) string {
	if textWidth(s) <= n {
		return s
	}
	used, out := 0, strings.Builder{}
	for _, r := range s {
		if used += runeWidth(r); used > n-1 {
			break
		}
		out.WriteRune(r)
	}
	return out.String() + "…"
}

// Clean is clean for what prints elsewhere: questions.
func Clean(s string) string { return clean(s) }

// clean makes text from elsewhere harmless: control characters other than newline and tab, and the marks that reorder
// text, come out escaped, so that no host can move the cursor or hide a line.
func clean(s string) string {
	if strings.IndexFunc(s, harmful) < 0 {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if harmful(r) {
			out.WriteString(strings.Trim(fmt.Sprintf("%q", r), "'"))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func harmful(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return unicode.IsControl(r)
}

// wrap breaks text into lines of at most n cells at spaces; a longer word keeps a line of its own.
func wrap(text string, n int) string {
	var lines []string
	for para := range strings.SplitSeq(text, "\n") {
		line := ""
		for _, word := range strings.Fields(para) {
			if line != "" && textWidth(line)+1+textWidth(word) > n {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// indent puts prefix before every line of text but the empty ones.
func indent(text, prefix string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = prefix + l
		}
	}
	return strings.Join(lines, "\n")
}
