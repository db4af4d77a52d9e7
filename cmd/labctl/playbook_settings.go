package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/ini.v1"

	"labctl/inventory"
)

// settings are those of Ansible's (lib/ansible/config/base.yml) that mean something to labctl: the variable of the environment, the
// place in ansible.cfg, and what to do with the value. The command line comes first, then the environment, then the file; what
// has been set already is left alone. docs/vagrant.md says which others are passed over, and why.
var settings = []struct {
	env, section, key string
	set               func(f *playbookFlags, s said) error
}{
	{"ANSIBLE_INVENTORY", "defaults", "inventory", setInventory},
	{"ANSIBLE_REMOTE_USER", "defaults", "remote_user", text(func(f *playbookFlags) *string { return &f.login.user })},
	{"ANSIBLE_PRIVATE_KEY_FILE", "defaults", "private_key_file", file(func(f *playbookFlags) *string { return &f.login.key })},
	{"ANSIBLE_TIMEOUT", "defaults", "timeout", number(func(f *playbookFlags) *int { return &f.login.timeout })},
	{"ANSIBLE_VERBOSITY", "defaults", "verbosity", number(func(f *playbookFlags) *int { return &f.verbose })},
	{"ANSIBLE_ASK_PASS", "defaults", "ask_pass", truth(func(f *playbookFlags) *bool { return &f.login.askPass })},
	{"ANSIBLE_CONNECTION_PASSWORD_FILE", "defaults", "connection_password_file", file(func(f *playbookFlags) *string { return &f.login.passFile })},
	{"ANSIBLE_BECOME_PASSWORD_FILE", "defaults", "become_password_file", file(func(f *playbookFlags) *string { return &f.as.passwordFile })},
	{"ANSIBLE_SSH_HOST_KEY_CHECKING", "ssh_connection", "host_key_checking", setChecking},
	{"ANSIBLE_HOST_KEY_CHECKING", "defaults", "host_key_checking", setChecking},
	{"ANSIBLE_SSH_ARGS", "ssh_connection", "ssh_args", text(func(f *playbookFlags) *string { return &f.login.args })},
	{"ANSIBLE_SSH_COMMON_ARGS", "ssh_connection", "ssh_common_args", text(func(f *playbookFlags) *string { return &f.login.common })},
	{"ANSIBLE_SSH_EXTRA_ARGS", "ssh_connection", "ssh_extra_args", text(func(f *playbookFlags) *string { return &f.login.extra })},
	{"ANSIBLE_BECOME", "privilege_escalation", "become", truth(func(f *playbookFlags) *bool { return &f.as.on })},
	{"ANSIBLE_BECOME_USER", "privilege_escalation", "become_user", text(func(f *playbookFlags) *string { return &f.as.user })},
	{"ANSIBLE_BECOME_METHOD", "privilege_escalation", "become_method", text(func(f *playbookFlags) *string { return &f.as.method })},
	{"ANSIBLE_BECOME_ASK_PASS", "privilege_escalation", "become_ask_pass", truth(func(f *playbookFlags) *bool { return &f.as.ask })},
	{"ANSIBLE_DIFF_ALWAYS", "diff", "always", truth(func(f *playbookFlags) *bool { return &f.diff })},
	{"ANSIBLE_VAULT_PASSWORD_FILE", "defaults", "vault_password_file", setVaultFile},
	{"ANSIBLE_VAULT_IDENTITY_LIST", "defaults", "vault_identity_list", list(func(f *playbookFlags) *[]string { return &f.vaultIDs })},
	{"ANSIBLE_ASK_VAULT_PASS", "defaults", "ask_vault_pass", truth(func(f *playbookFlags) *bool { return &f.askVault })},
	{"ANSIBLE_RUN_TAGS", "tags", "run", list(func(f *playbookFlags) *[]string { return &f.tags })},
	{"ANSIBLE_SKIP_TAGS", "tags", "skip", list(func(f *playbookFlags) *[]string { return &f.skipTags })},
}

// said is the value of a setting, and the directory that file names in it start at.
type said struct{ value, dir string }

// configure reads the environment and ansible.cfg.
func (f *playbookFlags) configure(getenv func(string) string) error {
	for _, s := range settings {
		if v := getenv(s.env); v != "" {
			if err := s.set(f, said{v, "."}); err != nil {
				return fmt.Errorf("%s: %w", s.env, err)
			}
		}
	}
	name := configFile(getenv)
	if name == "" {
		return nil
	}
	// As Python's configparser reads it, which Ansible uses with comments after ";" only (lib/ansible/config/manager.py).
	config, err := ini.LoadSources(ini.LoadOptions{
		AllowPythonMultilineValues: true, IgnoreInlineComment: true, PreserveSurroundedQuote: true, AllowBooleanKeys: true, InsensitiveKeys: true,
	}, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for _, s := range settings {
		v := config.Section(s.section).Key(s.key).String()
		v, _, _ = strings.Cut(v, " ;")
		if v = unquoted(strings.TrimSpace(v)); v == "" {
			continue
		}
		if err := s.set(f, said{v, filepath.Dir(name)}); err != nil {
			return fmt.Errorf("%s: [%s] %s: %w", name, s.section, s.key, err)
		}
	}
	return nil
}

// configFile is the ansible.cfg that Ansible would take, or "" (find_ini_config_file): one in a directory that everybody can
// write is not trusted.
func configFile(getenv func(string) string) string {
	var names []string
	if named := getenv("ANSIBLE_CONFIG"); named != "" {
		if info, err := os.Stat(named); err == nil && info.IsDir() {
			named = filepath.Join(named, "ansible.cfg")
		}
		names = append(names, named)
	}
	if here, err := os.Stat("."); err == nil && here.Mode().Perm()&0o002 == 0 {
		names = append(names, "ansible.cfg")
	}
	if home := getenv("HOME"); home != "" {
		names = append(names, filepath.Join(home, ".ansible.cfg"))
	}
	for _, n := range append(names, "/etc/ansible/ansible.cfg") {
		if _, err := os.Stat(n); !errors.Is(err, fs.ErrNotExist) {
			return n
		}
	}
	return ""
}

func unquoted(v string) string {
	if n := len(v); n > 1 && v[0] == v[n-1] && (v[0] == '"' || v[0] == '\'') {
		return v[1 : n-1]
	}
	return v
}

func setInventory(f *playbookFlags, s said) error {
	if len(f.inventory) > 0 {
		return nil
	}
	if _, err := os.Stat(within(s.dir, s.value)); err == nil || strings.HasSuffix(s.value, ",") {
		f.inventory = []string{within(s.dir, s.value)}
		return nil
	}
	for _, one := range strings.Split(s.value, ",") {
		f.inventory = append(f.inventory, within(s.dir, strings.TrimSpace(one)))
	}
	return nil
}

func setVaultFile(f *playbookFlags, s said) error {
	if len(f.vaultFiles) == 0 {
		f.vaultFiles = []string{within(s.dir, s.value)}
	}
	return nil
}

func setChecking(f *playbookFlags, s said) error {
	on, err := inventory.Truth(s.value)
	if f.login.checking == nil {
		f.login.checking = &on
	}
	return err
}

// within makes a file name of a configuration one of labctl's.
func within(dir, name string) string {
	if filepath.IsAbs(name) || strings.HasPrefix(name, "~") || strings.HasSuffix(name, ",") || name == "-" {
		return name
	}
	return filepath.Join(dir, name)
}

func text(to func(*playbookFlags) *string) func(*playbookFlags, said) error {
	return func(f *playbookFlags, s said) error { set(to(f), s.value); return nil }
}

func file(to func(*playbookFlags) *string) func(*playbookFlags, said) error {
	return func(f *playbookFlags, s said) error { set(to(f), within(s.dir, s.value)); return nil }
}

func number(to func(*playbookFlags) *int) func(*playbookFlags, said) error {
	return func(f *playbookFlags, s said) error {
		n, err := strconv.Atoi(s.value)
		if err != nil {
			return fmt.Errorf("%q is not a number", s.value)
		}
		set(to(f), n)
		return nil
	}
}

func truth(to func(*playbookFlags) *bool) func(*playbookFlags, said) error {
	return func(f *playbookFlags, s said) error {
		on, err := inventory.Truth(s.value)
		set(to(f), on)
		return err
	}
}

func list(to func(*playbookFlags) *[]string) func(*playbookFlags, said) error {
	return func(f *playbookFlags, s said) error {
		if len(*to(f)) == 0 {
			*to(f) = strings.FieldsFunc(s.value, func(c rune) bool { return c == ',' || c == ' ' })
		}
		return nil
	}
}

func set[T comparable](to *T, v T) {
	var zero T
	if *to == zero {
		*to = v
	}
}
