package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"labctl/transport/transporttest"
)

// recorded is what one provisioner of Vagrant starts. @ROOT@ is the directory of the Vagrantfile, @KEY@ a
// private key, @PORT@ a port.
type recorded struct {
	Name      string            `json:"name"`
	Arguments []string          `json:"arguments"`
	Env       []string          `json:"env"`
	Inventory map[string]string `json:"inventory,omitempty"`
}

const recordings = "testdata/vagrant/recorded.json"

func loadRecords(t *testing.T) (records []recorded) {
	t.Helper()
	b, err := os.ReadFile(recordings)
	if err == nil {
		err = json.Unmarshal(b, &records)
	}
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// told are what the tasks of testdata/vagrant/options/site.hcl leave: the user, the greeting and so on.
func told(user, known string) string {
	return fmt.Sprintf("first %s %s\nsecond\nthird\n", user, known)
}

const nothingKnown = `["none",0,0,"none"]`

var plainly = map[string]string{"web2": told("root", nothingKnown)}

// outcomes has what labctl-playbook does with each of the recordings: what it leaves for the hosts, and what it says.
var outcomes = map[string]struct {
	left map[string]string // by host
	says []string
	asks string
}{
	"plain":               {left: plainly},
	"tmp_path":            {left: plainly},
	"limit":               {left: map[string]string{"web1": told("root", nothingKnown), "web2": told("root", nothingKnown)}},
	"limit text":          {left: plainly},
	"extra_vars":          {left: map[string]string{"web2": told("root", `["its \"me\" \u0026 you",3,1,"none"]`)}},
	"extra_vars file":     {left: map[string]string{"web2": told("root", `["from a file",0,0,"none"]`)}},
	"become":              {left: plainly},
	"become_user":         {left: map[string]string{"web2": told("daemon", nothingKnown)}},
	"become 1.8":          {left: map[string]string{"web2": told("daemon", nothingKnown)}},
	"verbose":             {left: plainly, says: []string{`"rc":0`}},
	"verbose vvv":         {left: plainly, says: []string{`"rc":0`, "task path: ", "agent"}},
	"tags":                {left: map[string]string{"web2": "first root " + nothingKnown + "\nsecond\n"}},
	"tags nothing has":    {says: []string{"PLAY [tell]"}},
	"skip_tags":           {left: map[string]string{"web2": "third\n"}},
	"start_at_task":       {left: map[string]string{"web2": "second\nthird\n"}},
	"raw_arguments":       {says: []string{"PLAY [tell]", "web2"}},
	"host_vars":           {left: map[string]string{"web2": told("root", `["none",0,0,"blue"]`)}},
	"groups":              {left: map[string]string{"web1": told("root", `["none",0,0,"grey"]`), "web2": told("root", `["none",0,0,"green"]`)}},
	"inventory_path":      {left: map[string]string{"web2": told("root", `["none",0,0,"pink"]`)}},
	"inventory_path 1.8":  {left: map[string]string{"web2": told("root", `["none",0,0,"pink"]`)}},
	"config_file":         {left: map[string]string{"web2": told("daemon", nothingKnown)}},
	"galaxy":              {left: plainly},
	"vault_password_file": {left: plainly},
	"ask_become_pass":     {left: plainly, asks: "BECOME password: "},
	"ask_become_pass 1.8": {left: plainly, asks: "BECOME password: "},
	"ask_vault_pass":      {left: plainly},
	"force_remote_user":   {left: plainly},
	"host_key_checking":   {says: []string{"UNREACHABLE!", "host key"}},
	"raw_ssh_args":        {left: plainly},
}

// TestVagrantOptions starts labctl-playbook as Vagrant did when the recordings were made, and looks at what comes of it. The
// machines are an sshd of this computer.
func TestVagrantOptions(t *testing.T) {
	key, keyFile := transporttest.NewKey(t)
	sshd := transporttest.NewSSHD(t, []ssh.PublicKey{key.PublicKey()})
	for _, r := range loadRecords(t) {
		t.Run(strings.ReplaceAll(r.Name, ": ", "/"), func(t *testing.T) {
			t.Parallel()
			kind, name, _ := strings.Cut(r.Name, ": ")
			want, ok := outcomes[name]
			if !ok {
				t.Fatal("outcomes does not say what is to come of it")
			}
			fails := name == "host_key_checking"
			if kind == "ansible_local" {
				fails = name == "groups"
				want.left = maps.Clone(want.left)
				delete(want.left, "web1") // which is there, but nobody knows where
			}
			code, said, asked, left := replay(t, r, strconv.Itoa(sshd.Port), keyFile)
			for host, text := range want.left {
				if left[host] != text {
					t.Errorf("%s: got  %q\nwant %q", host, left[host], text)
				}
			}
			for _, s := range want.says {
				if !strings.Contains(said, s) {
					t.Errorf("it does not say %q", s)
				}
			}
			if len(left) != len(want.left) || strings.TrimSpace(asked) != strings.TrimSpace(want.asks) || (code == 4) != fails || (code == 0) == fails {
				t.Errorf("exit code %d, asked for %q, left %q", code, asked, left)
			}
			if t.Failed() {
				t.Log(said)
			}
		})
	}
}

// replay starts labctl-playbook as r says.
func replay(t *testing.T, r recorded, port, key string) (code int, said, asked string, left map[string]string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "vagrant") // that of a test is closed to the users that are become
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	out := filepath.Join(dir, "out")
	actual := strings.NewReplacer("@ROOT@", dir, "@PORT@", port, "@KEY@", key, "vagrant'", "root'", "=vagrant", "=root", "/tmp/vagrant-", dir+"/tmp-")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.CopyFS(dir, os.DirFS("testdata/vagrant/options")))
	for _, d := range []string{dir, out, filepath.Join(dir, "home")} {
		check(os.MkdirAll(d, 0o777))
		check(os.Chmod(d, 0o777))
	}
	check(os.WriteFile(filepath.Join(dir, "askpass"), []byte("#!/bin/sh\ncase $1 in BECOME*) echo \"$1\" >>"+dir+"/asked; echo secret ;; *) exit 1 ;; esac\n"), 0o700))
	args := make([]string, len(r.Arguments))
	for i, a := range r.Arguments {
		args[i] = actual.Replace(a)
		inventory, ok := strings.CutPrefix(args[i], "--inventory-file=")
		for file, text := range r.Inventory {
			if ok {
				check(os.MkdirAll(inventory, 0o755))
				check(os.WriteFile(filepath.Join(inventory, file), []byte(actual.Replace(text)), 0o600))
			}
		}
	}
	cmd := exec.Command(playbookName, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(dir, "home"), "LABCTL_VAR_out="+out, "SSH_ASKPASS="+dir+"/askpass", "SSH_ASKPASS_REQUIRE=force")
	for _, e := range r.Env {
		cmd.Env = append(cmd.Env, actual.Replace(e))
	}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	_ = cmd.Run() // the exit code tells
	left = map[string]string{}
	for _, h := range []string{"web1", "web2"} {
		if b, err := os.ReadFile(filepath.Join(out, h)); err == nil {
			left[h] = string(b)
		}
	}
	b, _ := os.ReadFile(filepath.Join(dir, "asked"))
	return cmd.ProcessState.ExitCode(), both.String(), string(b), left
}
