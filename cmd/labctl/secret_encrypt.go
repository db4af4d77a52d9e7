package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"labctl/cmd/labctl/internal/wholefile"
	"labctl/inventory/secrets"
)

func (a *app) secretEncryptCmd() *cobra.Command {
	var f sealFlags
	var output, name string
	cmd := &cobra.Command{
		Use:   "encrypt [FILE...]",
		Short: "Encrypt files in place, or a value",
		Long: `Encrypts files in place: a file is replaced as a whole, or left alone. Without
FILE it encrypts its standard input, or a value that it asks for, and prints
the result; with --name as HCL, to be pasted where a value stands.`,
		Example: `  labctl secret encrypt -R team.txt secrets.tfvars
  labctl secret encrypt -r "$(cat ~/.ssh/id_ed25519.pub)" --name token`,
		RunE: func(_ *cobra.Command, args []string) error {
			to, err := f.given(a)
			switch {
			case err != nil:
				return err
			case len(args) == 0:
				return a.encryptValue(to, output, name)
			case name != "":
				return errors.New("--name is for a value, which comes from standard input")
			case output != "" && len(args) > 1:
				return errors.New("--output is for one file")
			}
			return a.encryptFiles(args, to, output)
		},
	}
	f.registerSealing(cmd)
	cmd.Flags().BoolVar(&f.batch, "batch", false, "ask nothing")
	f.keyFlags.batch = &f.batch
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this file (-: standard output), and leave FILE as it is")
	cmd.Flags().StringVar(&name, "name", "", "print a value as HCL: NAME = decrypt(...)")
	return cmd
}

// encryptFiles reads and encrypts all before it writes any.
func (a *app) encryptFiles(names []string, given []secrets.Recipient, output string) error {
	var all []wholefile.File
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			return fmt.Errorf("encrypt %w", err)
		}
		if kind := secrets.KindOf(n, b); kind != secrets.None {
			return fmt.Errorf("%s is encrypted already, by %s (labctl secret rekey changes for whom a file of age is)", n, kind)
		}
		to, err := recipientsFor(filepath.Dir(n), given)
		if err != nil {
			return err
		}
		sealed, err := secrets.Seal(b, to, true)
		if err != nil {
			return fmt.Errorf("encrypt %s: %w", n, err)
		}
		all = append(all, wholefile.File{Path: n, Content: sealed})
	}
	if output != "" {
		return a.put(output, all[0].Content, false)
	}
	return wholefile.WriteAll(all)
}

func (a *app) encryptValue(given []secrets.Recipient, output, name string) error {
	if name != "" && !hclsyntax.ValidIdentifier(name) {
		return fmt.Errorf("--name %s: a name is a letter followed by letters, digits, _ or -", name)
	}
	to, err := recipientsFor(".", given)
	if err != nil {
		return err
	}
	plain, err := a.readValue()
	if err != nil {
		return fmt.Errorf("read the value: %w", err)
	}
	if name != "" { // that of echo, or of an editor, is not part of a value
		plain = bytes.TrimSuffix(plain, []byte("\n"))
	}
	sealed, err := secrets.Seal(plain, to, true)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if name != "" {
		text := "  " + strings.ReplaceAll(strings.TrimSpace(string(sealed)), "\n", "\n  ")
		sealed = fmt.Appendf(nil, "%s = decrypt(<<-EOT\n%s\nEOT\n)\n", name, text)
	}
	return a.put(output, sealed, false)
}

// readValue asks for the value where standard input is a terminal, on which it is not shown.
func (a *app) readValue() ([]byte, error) {
	if !term.IsTerminal(int(a.in.Fd())) {
		return io.ReadAll(a.in)
	}
	text, err := a.askFor(&keyFlags{})("Value: ")
	return []byte(text), err
}

// put writes to a file, or to standard output.
func (a *app) put(file string, b []byte, private bool) error {
	if file == "" || file == "-" {
		_, err := a.out.Write(b)
		return err
	}
	return wholefile.Write(wholefile.File{Path: file, Content: b, Private: private})
}
