package main

import (
	"reflect"
	"testing"

	"labctl/inventory"
)

// What Vagrant 2.3.4 puts into ANSIBLE_SSH_ARGS (plugins/provisioners/ansible/provisioner/host.rb).
func TestVagrantSSHArgs(t *testing.T) {
	l := ansibleLogin{args: "-o ProxyCommand='ssh vagrant@host -p 2222 exec nc %h %p 2>/dev/null' -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes " +
		"-o IdentityFile=/a%%b -o IdentityFile=/c -o ForwardAgent=yes -oStrictHostKeyChecking=no -o ControlMaster=auto -o ControlPersist=60s"}
	h := &inventory.Host{Name: "box"}
	l.adjust(&inventory.Inventory{Hosts: []*inventory.Host{h}})
	want := []string{"ProxyCommand=ssh vagrant@host -p 2222 exec nc %h %p 2>/dev/null", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes",
		"IdentityFile=/a%%b", "IdentityFile=/c", "ForwardAgent=yes", "StrictHostKeyChecking=no", "ControlMaster=auto", "ControlPersist=60s"}
	if !reflect.DeepEqual(h.Options, want) {
		t.Errorf("got  %q\nwant %q", h.Options, want)
	}
}
