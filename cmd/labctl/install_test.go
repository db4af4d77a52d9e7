package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// make install puts all that README.md says below DESTDIR and PREFIX, of what is built already.
func TestInstall(t *testing.T) {
	built, dest := t.TempDir(), t.TempDir()
	install := func() (string, error) {
		out, err := exec.Command("make", "-C", "../..", "install", "BIN="+built, "DESTDIR="+dest, "PREFIX=/opt/lab").CombinedOutput()
		return string(out), err
	}
	if out, err := install(); err == nil || !strings.Contains(out, "run make first") {
		t.Errorf("without a binary: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(built, "labctl")); err != nil { // it is labctl by that name
		t.Fatal(err)
	}
	if out, err := install(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for file, text := range map[string]string{
		"share/man/man1/labctl-play.1":                         "SYNOPSIS",
		"share/man/man1/labctl-playbook.1":                     "SYNOPSIS",
		"share/man/man5/labctl.5":                              "the language of sites",
		"share/bash-completion/completions/labctl":             "__start_labctl",
		"share/bash-completion/completions/labctl-playbook":    "__start_labctl-playbook",
		"share/zsh/site-functions/_labctl":                     "#compdef labctl",
		"share/fish/vendor_completions.d/labctl.fish":          "complete",
		"share/fish/vendor_completions.d/labctl-playbook.fish": "complete",
		"share/doc/labctl/README.md":                           "# labctl",
		"share/doc/labctl/docs/inventory.md":                   "# Where hosts come from",
		"share/doc/labctl/docs/modules/vxlan.md":               "# vxlan",
	} {
		b, err := os.ReadFile(filepath.Join(dest, "opt/lab", file))
		if err != nil || !strings.Contains(string(b), text) {
			t.Errorf("%s: %v, and %q is not in it", file, err, text)
		}
	}
	if to, err := os.Readlink(filepath.Join(dest, "opt/lab/bin/labctl-playbook")); err != nil || to != "labctl" {
		t.Errorf("labctl-playbook is a link to %q, %v", to, err)
	}
	out, err := exec.Command(filepath.Join(dest, "opt/lab/bin/labctl"), "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "labctl ") {
		t.Errorf("what is installed says %v\n%s", err, out)
	}
}
