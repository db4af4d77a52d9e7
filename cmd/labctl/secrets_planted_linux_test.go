package main

import (
	"os"
	"path/filepath"
	"strings"

	"labctl/inventory/secrets"
)

// The secrets of the site, and what opens those that are encrypted.
const (
	secretEnvironment = "token-of-the-environment"
	secretFile        = "token-in-a-file-of-variables"
	secretSealedFile  = "token-in-a-sealed-file-of-variables"
	secretExtra       = "token-in-a-file-of-e"
	secretValue       = "token-in-a-single-value"
	secretSent        = "token-in-a-file-that-is-sent"
	secretVaulted     = "s3cret token" // of Ansible Vault and of sops
	secretVaultKey    = "vault one"
	secretIdentity    = "AGE-SECRET-KEY-1QKPXNL40FHF6H4DCYVP7NG5ZRWXF3K8CYDM9L35898X4JXTGWJ0Q2NXF95"
	secretRecipient   = "age1tclde87v4addwnnx6v7ljpq5rcwm3qzjz9mmv7zrcyfpdx6jafzsuytd69"
)

// planted are tasks with a secret of every kind in every place that takes one. The files that they make are named keep-*, and hold them.
const planted = `
  copy "/root/keep-token" { content = var.token }
  copy "/root/keep-all" {
    content = join("\n", [var.fromenv, var.filed, var.sealed, var.extra, hosted, var.token,
      yamldecode(file("v11.yml")).token, yamldecode(file("vars.yaml")).token])
  }
  copy "/root/keep-sent" { src = "sent.age" }
  copy "/root/keep-large" { src = "large.age" }
  template "/root/keep-template" {
    src  = "secrets.tpl"
    vars = { x = hosted }
  }
  command "read" {
    argv  = ["sh", "-c", "cat >/dev/null"]
    stdin = var.sealed
  }
  command "env-holder" {
    argv        = ["sh", "-c", "test -n $TOKEN; : env-holder"]
    environment = { TOKEN = var.fromenv }
  }
  command "look" {
    argv      = ["cat", "/root/keep-token"]
    sensitive = true
    register  = "seen"
  }
  debug "seen" { var = result.seen }
  copy "/root/keep-again" { content = result.seen.stdout }
  set_fact "known" { value = { deep = [result.seen.stdout, var.extra] } }
  debug "known" {}
  debug "known too" { var = known }
  copy "/root/keep-known" { content = jsonencode(known) }
  fail "wanted" {
    msg           = "it is ${known.deep[1]}"
    ignore_errors = true
  }
  command "fail" {
    argv          = ["sh", "-c", "echo $TOKEN env-holder; echo $TOKEN >&2; exit 3"]
    environment   = { TOKEN = var.extra }
    ignore_errors = true
    register      = "failed"
  }
  debug "failed" { var = result.failed }
  assert "it is so" {
    that          = [var.filed == "nothing"]
    fail_msg      = "it was ${var.filed}"
    ignore_errors = true
  }
  use "holder" {
    x        = var.sealed
    register = "held"
  }
  debug "held" { var = result.held }
  command "elsewhere" {
    on       = "box"
    argv     = ["sh", "-c", "cat"]
    stdin    = var.filed
    register = "elsewhere"
  }
  debug "elsewhere" { var = result.elsewhere }
  command "by itself" {
    argv        = ["sh", "-c", "read -r it; echo $it; echo $TOKEN env-holder >&2"] # no child that would have the environment, too
    stdin       = var.filed
    environment = { TOKEN = var.extra }
    async       = "30s"
    poll        = "100ms"
    register    = "job"
  }
  debug "job" { var = result.job }
  block "in vain" {
    command "false" { argv = ["sh", "-c", "cat /root/keep-all; false"]  sensitive = true }
    rescue {
      debug "failure" { msg = failure.error }
      debug "its result" { var = failure.result }
    }
  }
  command "judge" {
    argv         = ["cat", "/root/keep-token"]
    sensitive    = true
    changed_when = tonumber(self.stdout) > 1
  }
`

// plantedVariables declare what planted refers to.
const plantedVariables = `
variable "fromenv" { sensitive = true }
variable "filed" { sensitive = true }
variable "extra" { sensitive = true }
variable "sealed" {}
role "holder" {
  variable "x" {}
  locals { y = "y${var.x}" }
  command "hold" {
    argv     = ["sh", "-c", "cat"]
    stdin    = local.y
    register = "held"
  }
  output "x" { value = result.held.stdout }
}
`

// plant writes the files that planted needs.
func (v *vault) plant() {
	v.secrets = append(v.secrets, secretEnvironment, secretFile, secretSealedFile, secretExtra, secretValue, secretSent, secretVaulted, secretVaultKey, secretIdentity)
	v.write("filed.tfvars", "filed = \""+secretFile+"\"\n", 0o600)
	v.write("sealed.tfvars", v.seal("sealed = \""+secretSealedFile+"\"\n"), 0o600)
	v.write("extra.json", "{\"extra\": \""+secretExtra+"\"}", 0o600)
	v.write("sent.age", v.seal(secretSent), 0o600)
	v.write("large.age", v.seal(strings.Repeat(secretSent+"\n", 10_000)), 0o600) // which is asked for by its hash
	v.write("secrets.tpl", "x is ${x}", 0o600)
	v.write("vault-password", secretVaultKey+"\n", 0o600)
	for _, from := range []string{"vault/v11.yml", "sops/vars.yaml"} {
		b, err := os.ReadFile(filepath.Join("../../inventory/secrets/testdata", from))
		if err != nil {
			v.t.Fatal(err)
		}
		v.write(filepath.Base(from), string(b), 0o600)
	}
}

func (v *vault) seal(text string) string {
	to, err := secrets.ParseRecipient(secretRecipient)
	if err != nil {
		v.t.Fatal(err)
	}
	b, err := secrets.Seal([]byte(text), []secrets.Recipient{to}, true)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(b)
}

// hosted is a variable of a host with a single value.
func (v *vault) hosted() string {
	return "{ hosted = decrypt(<<EOT\n" + strings.TrimSpace(v.seal(secretValue)) + "\nEOT\n) }"
}

// giving are the options of a run that takes the secrets from their places.
func (v *vault) giving() []string {
	at := func(name string) string { return filepath.Join(v.dir, name) }
	return []string{"--var-file", at("filed.tfvars"), "--var-file", at("sealed.tfvars"), "-e", "@" + at("extra.json"), "--vault-password-file", at("vault-password")}
}

// environment is what a run gets, besides.
func (v *vault) environment() []string {
	return []string{"LABCTL_AGE_KEY=" + secretIdentity, "LABCTL_VAR_fromenv=" + secretEnvironment}
}

// holds reports whether the environment of a process may hold secrets: that of labctl itself, as the user has started it, and that of a
// command that a task gives one to.
func (v *vault) holds(cmdline string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.launched[cmdline] || strings.Contains(cmdline, "env-holder")
}
