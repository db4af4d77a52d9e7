// Package starter holds the files of a first project, and puts them into a directory. It knows nothing of what is in them.
package starter

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed files
var files embed.FS

// names are the files, as they are embedded and as they are called.
var names = []struct{ embedded, name string }{
	{"site.hcl", "site.hcl"}, {"inventory.hcl", "inventory.hcl"}, {"README.md", "README.md"}, {"gitignore", ".gitignore"},
}

// Write makes dir, if need be, and puts the files there. Where one of their names is taken, or dir has files of HCL, which
// would become part of the site, nothing is written.
func Write(dir string) error {
	if found, _ := filepath.Glob(filepath.Join(dir, "*.hcl")); len(found) > 0 {
		return fmt.Errorf("%s is there: this is a project already; labctl init takes a directory without", found[0])
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	for _, n := range names {
		if err := write(filepath.Join(dir, n.name), n.embedded); err != nil {
			return err
		}
	}
	return nil
}

// write puts a file in place unless there is one: a directory may have a README.md and a .gitignore of its own.
func write(path, embedded string) error {
	text, err := files.ReadFile("files/" + embedded)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the project: %w", err)
	}
	_, err = f.Write(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write the project: %w", err)
	}
	return nil
}
