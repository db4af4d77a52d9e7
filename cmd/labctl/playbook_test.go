package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"labctl/inventory"
)

// What Vagrant 2.3.4 puts into ANSIBLE_SSH_ARGS (plugins/provisioners/ansible/provisioner/host.rb).
func TestVagrantSSHArgs(t *testing.T) {
	l := ansibleLogin{args: "-o ProxyCommand='ssh vagrant@host -p 2222 exec nc %h %p 2>/dev/null' -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes " +
		"-o IdentityFile=/a%%b -o IdentityFile=/c -o ForwardAgent=yes -oStrictHostKeyChecking=no -o ControlMaster=auto -o ControlPersist=60s"}
	got, err := (&app{}).ansibleSettings(t.Context(), &l, &becomeFlags{})
	want := []string{"ProxyCommand=ssh vagrant@host -p 2222 exec nc %h %p 2>/dev/null", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes",
		"IdentityFile=/a%%b", "IdentityFile=/c", "ForwardAgent=yes", "StrictHostKeyChecking=no", "ControlMaster=auto", "ControlPersist=60s"}
	if err != nil || !reflect.DeepEqual(got.Options, want) {
		t.Errorf("got  %q, %v\nwant %q", got.Options, err, want)
	}
}

func TestAnsibleConfig(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "ansible.cfg")
	text := `# a comment
[defaults]
inventory = hosts, more
Remote_User = 'someone'   ; and why
private_key_file=keys/id
timeout: 7
host_key_checking = False
become_password_file = ~/sudo
[privilege_escalation]
become = True
become_method = doas
[ssh_connection]
ssh_args = -C
    -o ServerAliveInterval=3
    -J "jump@gate:23"
[tags]
skip = slow,flaky
`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"ANSIBLE_CONFIG": name, "ANSIBLE_TIMEOUT": "11"}
	var f playbookFlags
	if err := f.configure(func(n string) string { return env[n] }); err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join(dir, "hosts"), filepath.Join(dir, "more")}; !reflect.DeepEqual(f.inventory, want) {
		t.Errorf("inventory %q, want %q", f.inventory, want)
	}
	if want := []string{"slow", "flaky"}; !reflect.DeepEqual(f.skipTags, want) || !f.as.on || f.as.method != "doas" || f.as.passwordFile != "~/sudo" {
		t.Errorf("got tags %q, become %v by %s, its password in %q", f.skipTags, f.as.on, f.as.method, f.as.passwordFile)
	}
	f.as.passwordFile = ""
	got, err := (&app{}).ansibleSettings(t.Context(), &f.login, &f.as)
	want := inventory.SSH{
		User: "someone", IdentityFiles: []string{filepath.Join(dir, "keys/id")}, ConnectTimeout: 11 * time.Second, HostKeyPolicy: "off",
		Options: []string{"Compression=yes", "ServerAliveInterval=3", "ProxyJump=jump@gate:23"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	for _, env := range []map[string]string{{"ANSIBLE_TIMEOUT": "soon"}, {"ANSIBLE_BECOME": "perhaps"}} {
		if err := f.configure(func(n string) string { return env[n] }); err == nil {
			t.Errorf("%v is taken", env)
		}
	}
}
