package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"labctl/inventory/secrets"
	"labctl/inventory/source"
	"labctl/transport"
)

// keyFlags say what opens what is encrypted. Those of Ansible Vault are Ansible's (lib/ansible/cli/arguments/option_helpers.py).
type keyFlags struct {
	identities []string
	vaultIDs   []string
	vaultFiles []string
	askVault   bool
	batch      *bool // nil: the verb has no such flag
}

func (f *keyFlags) register(fs *pflag.FlagSet) { f.registerAs(fs, "") }

// registerAs has --identity a short form, too.
func (f *keyFlags) registerAs(fs *pflag.FlagSet, short string) {
	fs.StringArrayVarP(&f.identities, "identity", short, nil, "file of an identity of age, or of a private key of SSH, that opens what is encrypted (repeatable)")
	fs.StringArrayVar(&f.vaultIDs, "vault-id", nil, "password of Ansible Vault: ID@FILE, ID@prompt, or without ID@ (repeatable)")
	fs.StringArrayVar(&f.vaultFiles, "vault-password-file", nil, "file that holds a password of Ansible Vault, or program that prints it (repeatable)")
	fs.BoolVarP(&f.askVault, "ask-vault-pass", "J", false, "ask for the password of Ansible Vault, once, before the run")
}

// keys are those of this invocation. What opens them is read and asked for when something encrypted comes up, and then once.
func (a *app) keys(f *keyFlags) *secrets.Keys {
	if a.secrets == nil {
		a.secrets = &secrets.Keys{Identities: f.identities, Vault: a.vaultPasswords(f), Getenv: a.getenv, Ask: a.askFor(f)}
	}
	return a.secrets
}

// askFor asks for one answer that nobody may see.
func (a *app) askFor(f *keyFlags) func(string) (string, error) {
	return func(prompt string) (string, error) {
		if f.batch != nil && *f.batch {
			return "", errors.New("it has to be asked for, which --batch forbids")
		}
		answer, err := a.prompter.Ask(a.ctx, transport.Question{Fields: []transport.Field{{Prompt: prompt}}})
		if err != nil {
			return "", err
		}
		return answer[0], nil
	}
}

// vaultPasswords are those in the order of the options; those of the environment stand in for files.
func (a *app) vaultPasswords(f *keyFlags) []secrets.VaultPassword {
	var out []secrets.VaultPassword
	add := func(id, from, prompt string) {
		out = append(out, secrets.VaultPassword{ID: id, Get: sync.OnceValues(func() (string, error) {
			if prompt != "" {
				return a.askFor(f)(prompt)
			}
			return a.vaultPassword(a.ctx, id, from)
		})})
	}
	for _, o := range f.vaultIDs {
		id, from, ok := strings.Cut(o, "@")
		if !ok {
			id, from = "default", o
		}
		switch from {
		case "prompt":
			add(id, "", "Vault password ("+id+"): ")
		case "prompt_ask_vault_pass":
			add(id, "", "Vault password: ")
		default:
			add(id, from, "")
		}
	}
	files := f.vaultFiles
	if named := first(a.getenv("LABCTL_VAULT_PASSWORD_FILE"), a.getenv("ANSIBLE_VAULT_PASSWORD_FILE")); len(files) == 0 && named != "" {
		files = []string{named}
	}
	for _, file := range files {
		add("default", file, "")
	}
	if f.askVault {
		add("default", "", "Vault password: ")
	}
	return out
}

// vaultPassword reads a password. A program whose name ends in -client is told the vault id (ClientScriptVaultSecret in
// lib/ansible/parsing/vault).
func (a *app) vaultPassword(ctx context.Context, id, file string) (string, error) {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if info, err := os.Stat(file); err == nil && strings.HasSuffix(base, "-client") && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
		path, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		b, err := a.runCommand(ctx, source.Command{Args: []string{path, "--vault-id", id}})
		return strings.Trim(string(b), "\r\n"), err
	}
	password, err := a.password(ctx, file, false, "", "")
	return strings.TrimSpace(password), err
}

// ours are the variables of the environment that hold secrets and are for labctl alone: what it starts does not get them.
func ours(name string) bool {
	return strings.HasPrefix(name, "LABCTL_VAR_") || name == "LABCTL_AGE_KEY"
}

// keepEnvironment notes the environment, and takes out of it what is for labctl alone.
func (a *app) keepEnvironment() {
	a.environ = os.Environ()
	for _, e := range a.environ {
		if name, _, _ := strings.Cut(e, "="); ours(name) {
			_ = os.Unsetenv(name)
		}
	}
}

// getenv reads the environment as it was.
func (a *app) getenv(name string) string {
	for _, e := range a.environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok && ours(name) {
			return value
		}
	}
	return os.Getenv(name)
}
