package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/wholefile"
	"labctl/inventory"
	"labctl/transport/sshconfig"
)

// sshConfigFlags say what becomes of the file.
type sshConfigFlags struct {
	placeFlags
	out                string
	install, uninstall bool
}

func (a *app) sshConfigCmd() *cobra.Command {
	var f sshConfigFlags
	cmd := &cobra.Command{
		Use:   "ssh-config [PATTERN]",
		Short: "Write the hosts down for OpenSSH (ssh -F FILE HOST)",
		Long: `Prints a configuration for ssh, scp, sftp, rsync, git and all that use
OpenSSH, with an entry for each host that matches the pattern (default: all) and
for each hop on the way: addresses, users, keys, certificates, host keys,
options, as labctl has them from the inventory and from ssh_config.

    labctl ssh-config -o lab.conf && ssh -F lab.conf boxA

--install has ~/.ssh/config include the file, so that plain 'ssh boxA' does, and
writes it to ~/.ssh/labctl where -o does not say; do it again when the inventory
has changed. --uninstall takes both away. labctl itself passes over such a file
where ssh_config includes it: it knows its hosts from the inventory.

Passwords are never written; ssh asks for them.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case f.install && f.uninstall:
				return errors.New("--install and --uninstall exclude each other")
			case f.uninstall:
				return a.uninstallSSHConfig(&f)
			}
			return a.writeSSHConfig(&f, strings.Join(append(args, "all")[:1], ""))
		},
	}
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "file to write, in place of standard output")
	cmd.Flags().BoolVar(&f.install, "install", false, "have ~/.ssh/config include the file")
	cmd.Flags().BoolVar(&f.uninstall, "uninstall", false, "take the file away, and the line that includes it")
	f.register(cmd)
	for _, idle := range []string{"batch", "no-persist"} {
		_ = cmd.Flags().MarkHidden(idle)
	}
	return cmd
}

func (a *app) writeSSHConfig(f *sshConfigFlags, pattern string) error {
	st, err := a.place(&f.placeFlags, "")
	if err != nil {
		return err
	}
	hosts, err := st.Inventory.Match(pattern)
	if err != nil {
		return err
	}
	text, err := a.sshConfigOf(st, &f.connectFlags, hosts)
	if err != nil {
		return err
	}
	path, err := f.file()
	switch {
	case err != nil:
		return err
	case path == "":
		_, err = a.out.Write(text)
		return err
	}
	if f.out == "" { // ~/.ssh/labctl
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("write configuration for ssh: %w", err)
		}
	}
	if err := wholefile.Write(wholefile.File{Path: path, Content: text, Private: true}); err != nil {
		return fmt.Errorf("write configuration for ssh: %w", err)
	}
	if !f.install {
		return nil
	}
	return a.includeSSHConfig(path)
}

// sshConfigOf is the file for some hosts. Those that are reached without SSH have no place in it.
func (a *app) sshConfigOf(st *site, f *connectFlags, hosts []*inventory.Host) ([]byte, error) {
	opener, _, done, err := a.opener(st, f, a.logf(f.verbose))
	if err != nil {
		return nil, err
	}
	defer done()
	export := sshconfig.Export{Site: st.path, Declared: func(name string) ([]string, bool) {
		h := st.Inventory.Host(name)
		if h == nil || h.Implicit {
			return nil, false
		}
		return h.Options, true
	}}
	for _, h := range hosts {
		t, err := opener.Target(h)
		if err != nil {
			return nil, err
		}
		if t != nil {
			export.Targets = append(export.Targets, t)
		}
	}
	var out bytes.Buffer
	err = export.Write(&out)
	return out.Bytes(), err
}

// file is the absolute path to write; empty for standard output.
func (f *sshConfigFlags) file() (string, error) {
	if f.out != "" || !f.install && !f.uninstall {
		if f.out == "" {
			return "", nil
		}
		return filepath.Abs(f.out)
	}
	dir, err := sshDir()
	if err != nil {
		return "", err
	}
	site := placePath(f.at, &f.siteFlags, "")
	if site == "" {
		site = f.inventory[0]
	}
	return filepath.Join(dir, "labctl", sandboxName(site)), nil
}

func sshDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find ~/.ssh: %w", err)
	}
	return filepath.Join(home, ".ssh"), nil
}
