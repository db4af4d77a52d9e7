package transport_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"labctl/transport"
)

// The agent travels in the best form that it comes in and that the machine can
// unpack.
func TestFormsOfPush(t *testing.T) {
	needTools(t, "xz", "unxz", "gzip")
	all, self := []string{"xz", "gzip", ""}, []string{"gzip", ""}
	for _, test := range []struct {
		name    string
		forms   []string
		without []string // programs
		want    string
	}{
		{"all", all, nil, "xz"},
		{"unxz", all, []string{"xz"}, "xz"},
		{"gzip", all, []string{"xz", "unxz"}, "gzip"},
		{"nothing", all, []string{"xz", "unxz", "gzip", "sha256sum"}, ""},
		{"no xz to send", self, nil, "gzip"},
		{"no xz to send and no gzip", self, []string{"gzip"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			config, _ := withShell(t, "/bin/sh", "PATH="+pathWithout(t, test.without...))
			b := newBins(t)
			b.forms = test.forms
			if got, err := talk(t, dialTest(t, config), b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
				t.Errorf("got %q, %v", got, err)
			}
			if want := []string{test.want}; !slices.Equal(b.opened, want) {
				t.Errorf("went as %q, want %q", b.opened, want)
			}
		})
	}
}

// pathWithout is a PATH with every program of this machine but some.
func pathWithout(t testing.TB, names ...string) string {
	dir := t.TempDir()
	for _, from := range []string{"/usr/bin", "/bin"} {
		programs, _ := os.ReadDir(from)
		for _, p := range programs {
			_ = os.Symlink(filepath.Join(from, p.Name()), filepath.Join(dir, p.Name()))
		}
	}
	for _, n := range names {
		_ = os.Remove(filepath.Join(dir, n))
	}
	return dir
}

func TestUnknownMachineType(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "uname"), []byte("#!/bin/sh\necho vax\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	config, _ := withShell(t, "/bin/sh", "PATH="+dir+":"+os.Getenv("PATH"))
	_, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{}, "hi")
	if err == nil {
		t.Fatal("no error")
	}
	mention(t, err, "no agent for machine type vax")
}
