package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/view"
	"labctl/cmd/labctl/internal/wholefile"
	"labctl/playbooks/syntax"
)

// formatting is one run of fmt.
type formatting struct {
	check, diff, list, write, recursive bool

	changed, broken bool
}

func (a *app) fmtCmd() *cobra.Command {
	var f formatting
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Rewrite files of HCL in the form that all have",
		Long: `Rewrites the *.hcl files of a directory, by default of this one, or the files
that are named, and lists those that change. Blanks within lines are all that
changes: arguments below one another are aligned, and arguments that share a
line are two blanks apart. A file with faults of syntax is left alone. With -
standard input is formatted to standard output.

Exit codes: 0 done, 2 some file cannot be read, formatted or written, 3 with
-check: some file would change.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return a.format(&f, args)
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing, and exit with 3 if a file would change")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "show what changes")
	cmd.Flags().BoolVar(&f.list, "list", true, "list the files that change")
	cmd.Flags().BoolVar(&f.write, "write", true, "write what changes")
	cmd.Flags().BoolVar(&f.recursive, "recursive", false, "with the directories below, except hidden ones and links")
	return cmd
}

func (a *app) format(f *formatting, paths []string) error {
	f.write = f.write && !f.check
	for _, path := range paths {
		var err error
		if path == "-" {
			err = a.formatInput(f)
		} else {
			err = a.formatPath(f, path)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case f.broken:
		return exitError(exitFailed)
	case f.check && f.changed:
		return exitError(exitUnformatted)
	}
	return nil
}

// formatPath formats a file, or those of a directory. What is wrong with one does not keep the others from it; an error is
// that of the output.
func (a *app) formatPath(f *formatting, path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return a.formatFile(f, path)
	}
	return filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		hidden := name != path && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			a.cannotFormat(f, err)
			return nil
		case d.IsDir() && name != path && (hidden || !f.recursive):
			return filepath.SkipDir
		case d.IsDir() || hidden || filepath.Ext(name) != ".hcl":
			return nil
		}
		return a.formatFile(f, name)
	})
}

func (a *app) cannotFormat(f *formatting, err error) {
	f.broken = true
	fmt.Fprintln(a.err, "labctl:", err)
}

func (a *app) formatInput(f *formatting) error {
	src, err := io.ReadAll(io.LimitReader(a.in, syntax.MaxSize+1))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	out, err := a.formatted(f, "<stdin>", src)
	if err != nil || out == nil {
		return err
	}
	if !f.check && !f.diff {
		_, err = a.out.Write(out)
	}
	return err
}

func (a *app) formatFile(f *formatting, path string) error {
	src, err := readSource(path)
	if err != nil {
		a.cannotFormat(f, err)
		return nil
	}
	out, err := a.formatted(f, path, src)
	if err != nil || out == nil || bytes.Equal(out, src) {
		return err
	}
	if f.list {
		if _, err := fmt.Fprintln(a.out, path); err != nil {
			return err
		}
	}
	if f.write {
		if err := overwrite(path, out); err != nil {
			a.cannotFormat(f, err)
		}
	}
	return nil
}

// readSource reads a file of HCL. What is not a file could block, or never end.
func readSource(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is not a regular file", path)
	}
	if info.Size() > syntax.MaxSize {
		return nil, fmt.Errorf("%s: %d bytes are too many, at most %d are read", path, info.Size(), syntax.MaxSize)
	}
	return os.ReadFile(path)
}

// formatted formats a text and shows the difference, if wanted. Of a broken one it shows the faults and returns nil.
func (a *app) formatted(f *formatting, name string, src []byte) ([]byte, error) {
	out, diags := syntax.Format(name, src)
	if diags.HasErrors() {
		f.broken = true
		return nil, view.Diagnostics(a.viewOptions(), map[string]*hcl.File{name: {Bytes: src}}, diags)
	}
	if bytes.Equal(out, src) {
		return out, nil
	}
	f.changed = true
	if !f.diff {
		return out, nil
	}
	_, err := a.out.Write(diff.Diff("old/"+name, src, "new/"+name, out))
	return out, err
}

// overwrite puts content in the place of what a file holds, whole or not at all. One that is not to be written is refused, though its
// directory may let it be replaced.
func overwrite(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return wholefile.Write(wholefile.File{Path: path, Content: content})
}
