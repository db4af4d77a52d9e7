package source

import (
	"os"
	"path/filepath"
	"strings"
)

// Recognise tells what an inventory given by its path is. It is nil for HCL, and for what is not there.
func Recognise(path string) Source {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil
	case info.IsDir():
		return recogniseDir(path)
	case strings.HasSuffix(path, ".hcl"):
		return nil
	case isTerraform(path):
		return Terraform{path, "inventory"}
	}
	return Ansible{path}
}

func recogniseDir(path string) Source {
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".hcl" && !strings.HasPrefix(e.Name(), ".") {
			return nil
		}
	}
	return Ansible{path}
}
