package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"labctl/cmd/labctl/internal/wholefile"
	"labctl/transport/sshconfig"
)

// includeSSHConfig has ~/.ssh/config include a file, on top: what stands below a Host line would count for that host alone.
func (a *app) includeSSHConfig(path string) error {
	return a.editSSHConfig(func(text string) string {
		line := sshconfig.IncludeLine(path)
		rest := without(text, line)
		if strings.HasPrefix(text, line+"\n") && rest == text[len(line)+1:] {
			return text
		}
		return line + "\n" + rest
	})
}

func (a *app) uninstallSSHConfig(f *sshConfigFlags) error {
	path, err := f.file()
	if err != nil {
		return err
	}
	err = a.editSSHConfig(func(text string) string { return without(text, sshconfig.IncludeLine(path)) })
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("remove configuration for ssh: %w", err)
	case !sshconfig.Exported(text):
		return fmt.Errorf("%s stays: labctl ssh-config has not written it", path)
	}
	return os.Remove(path)
}

// without takes a line out of a text, wherever it stands.
func without(text, line string) string {
	var out strings.Builder
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) != line {
			out.WriteString(l)
		}
	}
	return out.String()
}

// editSSHConfig changes ~/.ssh/config. Where that is a link, as those have it who keep their settings elsewhere, what it
// leads to is changed.
func (a *app) editSSHConfig(edit func(string) string) error {
	dir, err := sshDir()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "config")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("edit ssh_config: %w", err)
	}
	changed := edit(string(text))
	if changed == string(text) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("edit ssh_config: %w", err)
	}
	if err := wholefile.Write(wholefile.File{Path: path, Content: []byte(changed)}); err != nil {
		return fmt.Errorf("edit ssh_config: %w", err)
	}
	return nil
}
