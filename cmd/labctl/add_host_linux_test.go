package main

import (
	"strings"
	"testing"
)

// A host that a play adds is reached as if it stood in the inventory: with the settings of the ssh block, through a jump host.
func TestAddHostThroughJumpHost(t *testing.T) {
	t.Parallel()
	dir := becomeSite(t, "", "", `
play "make" {
  hosts = "localhost"
  add_host "new" {
    address = "127.0.0.1"
    jump    = ["a"]
    groups  = ["made"]
  }
  add_host "newer" {
    address = "127.0.0.1"
    user    = "bob"
    jump    = ["new"]
    groups  = ["made"]
  }
}
play "use" {
  hosts = "made"
  command "echo $SSH_CONNECTION $USER" { shell = "echo of ${host.name}: $SSH_CONNECTION $USER" }
}
`)
	said, status := inSite(t, dir, "play", "-v")
	if status != exitDone || !strings.Contains(said, "of new: 127.0.0.1") || !strings.Contains(said, " bob") {
		t.Errorf("status %d:\n%s", status, said)
	}
	if said, status = inSite(t, dir, "plan"); status != exitDone || !strings.Contains(said, "newer: command") {
		t.Errorf("status %d:\n%s", status, said)
	}
}
