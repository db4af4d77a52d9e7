package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/wholefile"
	"labctl/inventory/secrets"
)

func (a *app) secretRekeyCmd() *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use:   "rekey FILE...",
		Short: "Encrypt files and values for others than before",
		Long: `Encrypts files anew, for those whom -r, -R or -p name, or .age-recipients. In a
file that is not encrypted as a whole, the values in it are. All files are
opened and encrypted before any is replaced; each is replaced as a whole.

Whoever could read a file still can, in the history of the repository: change
what is in it, too.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			given, err := f.given(a)
			if err != nil {
				return err
			}
			var all []wholefile.File
			for _, n := range args {
				sealed, err := a.rekeyed(n, &f, given)
				if err != nil {
					return err
				}
				all = append(all, wholefile.File{Path: n, Content: sealed})
			}
			return wholefile.WriteAll(all)
		},
	}
	f.registerOpening(cmd)
	f.registerSealing(cmd)
	return cmd
}

// rekeyed is what is to replace a file.
func (a *app) rekeyed(name string, f *sealFlags, given []secrets.Recipient) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("rekey %w", err)
	}
	values := secrets.KindOf(name, b) == secrets.None && secrets.HasValues(b)
	if !values {
		if err := encryptedOtherwise(name, b, "ansible-vault rekey", "sops updatekeys"); err != nil {
			return nil, err
		}
	}
	to, err := recipientsFor(filepath.Dir(name), given)
	if err != nil {
		return nil, err
	}
	var out []byte
	if values {
		out, _, err = a.keys(&f.keyFlags).ResealValues(b, to)
	} else if out, _, err = a.keys(&f.keyFlags).Open(name, b); err == nil {
		out, err = secrets.Seal(out, to, secrets.Armored(b))
	}
	if err != nil {
		return nil, fmt.Errorf("rekey %s: %w", name, err)
	}
	return out, nil
}
