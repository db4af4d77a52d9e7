package sshconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestAliases(t *testing.T) {
	dir := t.TempDir()
	more := filepath.Join(dir, "more")
	writeFile(t, more, "Host included a\n  HostName 192.0.2.1\n")
	inner := filepath.Join(dir, "inner")
	writeFile(t, inner, "Host h g\n")
	main := filepath.Join(dir, "config")
	writeFile(t, main, `# comment
Host a
  HostName 10.0.0.1
Host b-* !b-no "c" d? !e
  HostName %h.internal
Host b-yes f !f
Match all
Include `+more+"\nInclude ~/%h\nMatch host c.internal\n  User m\nHost g\n  Include "+inner+"\nHost *\n  Port 2200\n")
	c, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Aliases()
	if err != nil {
		t.Fatal(err)
	}
	want := []Alias{{"a", "10.0.0.1", main, 2}, {"c", "c.internal", main, 4}, {"b-yes", "b-yes.internal", main, 6}, {"included", "192.0.2.1", more, 1}, {"g", "g", main, 12}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

// Of has the command line of the configuration that it is asked of, and reads a file once.
func TestOf(t *testing.T) {
	dir := t.TempDir()
	mine, other := filepath.Join(dir, "mine"), filepath.Join(dir, "other")
	writeFile(t, mine, "User mine\n")
	writeFile(t, other, "User other\nPort 1\n")
	c, err := Load(mine)
	if err != nil {
		t.Fatal(err)
	}
	c.CommandLine = []string{"Port=2"}
	for range 2 {
		of, err := c.Of(other)
		if err != nil {
			t.Fatal(err)
		}
		target, err := of.Target("a")
		if err != nil || target.User != "other" || target.Port != 2 {
			t.Errorf("%+v %v", target, err)
		}
		writeFile(t, other, "User third\n")
	}
	if _, err := c.Of(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is no fault")
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
