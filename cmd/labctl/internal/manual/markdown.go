package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Text is a page that is made of one in Markdown.
type Text struct {
	Name, Section string
	Short         string // what the page is about, a phrase
	Markdown      string // its title is left out
	SeeAlso       string // "labctl(1), ssh_config(5)"
	Dir           string // of the pages that it has links to, as the reader finds them
}

// WriteText writes a page below dir, where man finds it.
func WriteText(t *Text, dir string) error {
	dir = filepath.Join(dir, "man"+t.Section)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the pages: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, t.Name+"."+t.Section), t.Page(), 0o644); err != nil { //nolint:gosec // pages are for all to read
		return fmt.Errorf("write the page of %s(%s): %w", t.Name, t.Section, err)
	}
	return nil
}

// Page is the page. Of Markdown it knows what the pages of labctl are written in: headings, paragraphs, lists, tables, code, and in
// lines code, links and what is strong.
func (t *Text) Page() []byte {
	m := &markdown{dir: t.Dir}
	fmt.Fprintf(&m.out, ".TH %s %s \"\" labctl \"labctl manual\"\n", strings.ToUpper(escape(t.Name)), t.Section)
	fmt.Fprintf(&m.out, ".SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", escape(t.Name), escape(t.Short))
	m.fresh = true
	for row := range strings.Lines(t.Markdown) {
		m.row(strings.TrimRight(row, "\n"))
	}
	m.end()
	m.out.WriteString(".SH SEE ALSO\n")
	also := regexp.MustCompile(`(\S+)(\(\d\),?)`).ReplaceAllString(escape(t.SeeAlso), ".BR $1 $2")
	m.out.WriteString(strings.ReplaceAll(also, ", .BR", ",\n.BR") + "\n")
	slices.Sort(m.pages)
	if pages := slices.Compact(m.pages); len(pages) > 0 {
		fmt.Fprintf(&m.out, ".PP\nThe pages that are named here are in the sources of labctl:\n%s.\n", strings.Join(pages, ", "))
	}
	return []byte(m.out.String())
}

// markdown is a page that is being made.
type markdown struct {
	out   strings.Builder
	dir   string
	pages []string // that it has links to
	block []string // rows of the block that is open
	kind  byte     // of that: p, a paragraph; -, an element of a list; |, a table; c, code that is indented; f, that is fenced; or 0
	fresh bool     // right below a heading, where no paragraph begins
}

var heading = regexp.MustCompile(`^(#+) (.*)`)

// row takes one line.
func (m *markdown) row(row string) {
	title := heading.FindStringSubmatch(row)
	switch {
	case m.kind == 'f' && row == "```", row == "" && m.kind != 'f' && m.kind != 'c':
		m.end()
	case m.kind == 'f', m.kind == 'c' && (row == "" || strings.HasPrefix(row, "    ")):
		m.block = append(m.block, strings.TrimPrefix(row, map[byte]string{'c': "    "}[m.kind]))
	case strings.HasPrefix(row, "```"):
		m.begin('f')
	case title != nil:
		m.end()
		m.heading(len(title[1]), title[2])
	case strings.HasPrefix(row, "- "):
		m.begin('-', row[2:])
	case strings.HasPrefix(row, "|") && m.kind != '|':
		m.begin('|', row)
	case strings.HasPrefix(row, "    ") && m.kind == 0:
		m.begin('c', row[4:])
	case m.kind == 0 || m.kind == 'c':
		m.begin('p', row)
	default:
		m.block = append(m.block, strings.TrimSpace(row))
	}
}

func (m *markdown) begin(kind byte, rows ...string) {
	m.end()
	m.kind, m.block = kind, rows
}

// heading begins a section; the title of the page is that of the manual page already.
func (m *markdown) heading(level int, title string) {
	switch level {
	case 1:
		return
	case 2:
		fmt.Fprintf(&m.out, ".SH %s\n", strings.ToUpper(escape(title)))
	default:
		fmt.Fprintf(&m.out, ".SS %s\n", escape(title))
	}
	m.fresh = true
}

// end writes the block that is open.
func (m *markdown) end() {
	block, kind := m.block, m.kind
	m.block, m.kind = nil, 0
	switch kind {
	case 0:
		return
	case 'p':
		if !m.fresh {
			m.out.WriteString(".PP\n")
		}
		m.text(strings.Join(block, " "))
	case '-':
		m.out.WriteString(".IP \\(bu 3\n")
		m.text(strings.Join(block, " "))
	case '|':
		m.table(block)
	default:
		m.code(block)
	}
	m.fresh = false
}

func (m *markdown) code(rows []string) {
	if !m.fresh {
		m.out.WriteString(".PP\n")
	}
	m.out.WriteString(".RS 2\n.nf\n")
	for len(rows) > 0 && rows[len(rows)-1] == "" { // before what comes below code that is indented
		rows = rows[:len(rows)-1]
	}
	for _, row := range rows {
		m.out.WriteString(line(row) + "\n")
	}
	m.out.WriteString(".fi\n.RE\n")
}

var cells = regexp.MustCompile(`(?:[^|\\]|\\.)+`)

// table has the first cell of each row hang out, and what the others say below it.
func (m *markdown) table(rows []string) {
	for i, row := range rows {
		if i == 1 { // ---
			continue
		}
		var columns []string
		for _, c := range cells.FindAllString(row, -1) {
			c = strings.TrimSpace(strings.ReplaceAll(c, `\|`, "|"))
			if i == 0 {
				c = "*" + strings.ReplaceAll(c, "`", "") + "*"
			}
			columns = append(columns, c)
		}
		m.out.WriteString(".TP\n")
		m.text(columns[0])
		m.text(strings.Join(columns[1:], "; "))
	}
}

// text writes words of a paragraph.
func (m *markdown) text(s string) {
	s = m.inline(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	m.out.WriteString(s + "\n")
}

var spans = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|\\*([^*]+)\\*|\\[([^\\]]+)\\]\\(([^)]+)\\)")

// inline writes what is marked in a line: code and what is strong are bold, links say where they lead to.
func (m *markdown) inline(s string) string {
	var b strings.Builder
	at := 0
	for _, f := range spans.FindAllStringSubmatchIndex(s, -1) {
		group := func(n int) string {
			if f[2*n] < 0 {
				return ""
			}
			return s[f[2*n]:f[2*n+1]]
		}
		b.WriteString(escape(s[at:f[0]]))
		at = f[1]
		switch {
		case f[2] >= 0:
			fmt.Fprintf(&b, `\fB%s\fR`, escape(group(1)))
		case f[4] >= 0:
			fmt.Fprintf(&b, `\fB%s\fR`, m.inline(group(2)))
		case f[6] >= 0:
			fmt.Fprintf(&b, `\fI%s\fR`, escape(group(3)))
		default:
			b.WriteString(m.link(group(4), group(5)))
		}
	}
	b.WriteString(escape(s[at:]))
	return b.String()
}

// link is what a link says: a place of the page by its words, another page by its name, what is elsewhere by its address.
func (m *markdown) link(words, to string) string {
	page, _, _ := strings.Cut(to, "#")
	switch {
	case page == "":
		return `\fI` + escape(words) + `\fR`
	case strings.Contains(page, "://"):
		return m.inline(words) + " <" + escape(page) + ">"
	}
	named := words == page || words+".md" == page
	page = escape(m.dir + page)
	m.pages = append(m.pages, page)
	if named {
		return `\fI` + page + `\fR`
	}
	return m.inline(words) + ` (\fI` + page + `\fR)`
}
