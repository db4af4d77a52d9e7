// Package manual writes manual pages (man(7)): of commands, from the help that they show, and of texts in Markdown. It knows no
// verb and no text.
package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Write writes the pages of cmd and of all below it below a directory, where man finds them: in man1.
func Write(cmd *cobra.Command, dir string) error {
	dir = filepath.Join(dir, "man1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the pages: %w", err)
	}
	return write(cmd, dir)
}

func write(cmd *cobra.Command, dir string) error {
	path := filepath.Join(dir, name(cmd)+".1")
	if err := os.WriteFile(path, Page(cmd), 0o644); err != nil { //nolint:gosec // pages are for all to read
		return fmt.Errorf("write the page of %s: %w", cmd.CommandPath(), err)
	}
	for _, c := range listed(cmd) {
		if err := write(c, dir); err != nil {
			return err
		}
	}
	return nil
}

func name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// listed are the commands below cmd that its help shows.
func listed(cmd *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			out = append(out, c)
		}
	}
	return out
}

// Page is the page of one command.
func Page(cmd *cobra.Command) []byte {
	cmd.InitDefaultHelpFlag()
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" labctl \"labctl manual\"\n", strings.ToUpper(escape(name(cmd))))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(name(cmd)), escape(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", escape(cmd.UseLine()))
	b.WriteString(".SH DESCRIPTION\n")
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	prose(&b, text)
	if below := listed(cmd); len(below) > 0 {
		b.WriteString(".SH VERBS\n")
		for _, c := range below {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s; see\n.BR %s (1)\n", escape(c.Name()), line(c.Short), escape(name(c)))
		}
	}
	if cmd.HasAvailableLocalFlags() {
		b.WriteString(".SH OPTIONS\n")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { option(&b, f) })
	}
	b.WriteString(".SH SEE ALSO\n")
	if p := cmd.Parent(); p != nil {
		fmt.Fprintf(&b, ".BR %s (1)\n", escape(name(p)))
	} else {
		b.WriteString(".BR ssh (1),\n.BR ssh_config (5)\n")
	}
	return []byte(b.String())
}

func option(b *strings.Builder, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	value, usage := pflag.UnquoteUsage(f)
	b.WriteString(".TP\n")
	if f.Shorthand != "" {
		fmt.Fprintf(b, "\\fB\\-%s\\fR, ", escape(f.Shorthand))
	}
	fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", escape(f.Name))
	if value != "" {
		fmt.Fprintf(b, " \\fI%s\\fR", escape(value))
	}
	fmt.Fprintf(b, "\n%s\n", line(usage))
}

// prose writes paragraphs; what is indented is an example, and keeps its lines.
func prose(b *strings.Builder, text string) {
	example, begun := false, true // no paragraph begins right below a heading
	for row := range strings.Lines(strings.ReplaceAll(text, "\t", "    ")) {
		row = strings.TrimRight(row, "\n")
		indented := strings.HasPrefix(row, "  ")
		switch {
		case indented && !example:
			b.WriteString(".PP\n.RS 4\n.nf\n")
			example = true
		case !indented && example:
			b.WriteString(".fi\n.RE\n")
			example, begun = false, false
		}
		switch {
		case row == "":
			begun = false
			continue
		case indented:
			row = strings.TrimPrefix(strings.TrimPrefix(row, "  "), "  ")
		case !begun:
			b.WriteString(".PP\n")
			begun = true
		}
		b.WriteString(line(row) + "\n")
	}
	if example {
		b.WriteString(".fi\n.RE\n")
	}
}

// line escapes a line of text, which must not be taken for a request.
func line(s string) string {
	s = escape(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}

// escape keeps characters as they are: groff makes typographic ones of some. An ellipsis may have three dots on any terminal.
func escape(s string) string {
	return strings.NewReplacer("…", "...", `\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
}
