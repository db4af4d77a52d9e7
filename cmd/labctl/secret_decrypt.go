package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"labctl/inventory/secrets"
)

func (a *app) secretDecryptCmd() *cobra.Command {
	var f keyFlags
	var batch bool
	var output string
	cmd := &cobra.Command{
		Use:   "decrypt [FILE]",
		Short: "Print what is in an encrypted file or value",
		Long: `Prints what is in a file that age, Ansible Vault or sops has encrypted, or in a
value on standard input. Nothing is left on the disk, unless --output says so;
the FILE itself may be named there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, b, err := a.readSealed(args)
			if err != nil {
				return fmt.Errorf("decrypt %w", err)
			}
			plain, kind, err := a.keys(&f).Open(name, b)
			if kind == secrets.None {
				return inClear(name, b)
			}
			if err != nil {
				return fmt.Errorf("decrypt %s: %w", name, err)
			}
			return a.put(output, plain, true)
		},
	}
	fs := cmd.Flags()
	f.registerAs(fs, "i")
	f.batch = &batch
	fs.BoolVar(&batch, "batch", false, "ask nothing: what needs a passphrase fails")
	fs.StringVarP(&output, "output", "o", "", "write to this file, which only its owner may read")
	return cmd
}

func (a *app) readSealed(args []string) (string, []byte, error) {
	if len(args) == 0 || args[0] == "-" {
		b, err := io.ReadAll(a.in)
		return "standard input", b, err
	}
	b, err := os.ReadFile(args[0])
	return args[0], b, err
}
