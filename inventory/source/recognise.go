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
		return Terraform{Path: path}
	case sshConfigFile(path):
		return SSHConfig{path}
	}
	return Ansible{path}
}

func recogniseDir(path string) Source {
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) == 0 {
		return nil
	}
	has := map[string]bool{} // names and extensions
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			has[filepath.Ext(e.Name())] = true
		}
		has[e.Name()] = true
	}
	switch {
	case has[".hcl"]:
		return nil
	case has["Vagrantfile"], has[".vagrant"], filepath.Base(filepath.Clean(path)) == ".vagrant" && has["machines"]:
		return Vagrant{path}
	case has[".tf"], has[".tofu"], exists(filepath.Join(path, "main.tf.json")):
		return Terraform{Path: path}
	}
	return Ansible{path}
}

// sshConfigFile says that a file is an ssh_config, by what is in it.
func sshConfigFile(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yml", ".yaml", ".json", ".toml", ".ini":
		return false
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxSize || executable(path) {
		return false
	}
	b, err := os.ReadFile(path)
	return err == nil && isSSHConfig(b)
}
