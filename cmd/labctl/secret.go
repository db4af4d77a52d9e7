package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"labctl/inventory/secrets"
)

func (a *app) secretCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Encrypt, decrypt and edit files and values",
		Long: `Encrypts files and single values by age, for those who may read them: age1...,
public keys of SSH, or whoever knows a passphrase. Where a site reads an
encrypted file, labctl opens it; a single value is opened by decrypt("...").

Without -r, -R and -p, the file .age-recipients says for whom: one recipient a
line. It lies in the directory of the file, or in one above.`,
		Args: oneOfVerbs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.secretEncryptCmd(), a.secretDecryptCmd(), a.secretEditCmd(), a.secretRekeyCmd())
	return cmd
}

// sealFlags say for whom to encrypt, and what opens what is encrypted already.
type sealFlags struct {
	keyFlags
	batch      bool
	recipients []string
	files      []string
	passphrase bool
}

func (f *sealFlags) registerOpening(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVarP(&f.identities, "identity", "i", nil, "file of an identity of age, or of a private key of SSH (repeatable)")
	fs.BoolVar(&f.batch, "batch", false, "ask nothing: what needs a passphrase fails")
	f.keyFlags.batch = &f.batch
}

func (f *sealFlags) registerSealing(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVarP(&f.recipients, "recipient", "r", nil, "encrypt for this recipient: age1..., or a public key of SSH (repeatable)")
	fs.StringArrayVarP(&f.files, "recipients-file", "R", nil, "encrypt for the recipients in this file, one a line (repeatable)")
	fs.BoolVarP(&f.passphrase, "passphrase", "p", false, "encrypt by a passphrase, which is asked for")
}

// given are the recipients of the command line; nil: there are none.
func (f *sealFlags) given(a *app) ([]secrets.Recipient, error) {
	var out []secrets.Recipient
	for _, text := range f.recipients {
		r, err := secrets.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("--recipient: %w", err)
		}
		out = append(out, r)
	}
	for _, file := range f.files {
		more, err := secrets.ReadRecipients(file)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	if !f.passphrase {
		return out, nil
	}
	if len(out) > 0 {
		return nil, errors.New("a passphrase (-p) goes with no other recipient: age wants it so, that whoever knows it can be sure who wrote the file")
	}
	r, err := f.newPassphrase(a)
	return []secrets.Recipient{r}, err
}

// newPassphrase asks twice.
func (f *sealFlags) newPassphrase(a *app) (secrets.Recipient, error) {
	ask := a.askFor(&f.keyFlags)
	one, err := ask("New passphrase: ")
	if err != nil {
		return nil, fmt.Errorf("ask for a passphrase: %w", err)
	}
	if one == "" {
		return nil, errors.New("the passphrase is empty")
	}
	two, err := ask("The same again: ")
	if err != nil {
		return nil, fmt.Errorf("ask for a passphrase: %w", err)
	}
	if one != two {
		return nil, errors.New("the two passphrases differ")
	}
	return secrets.ByPassphrase(one)
}

// for whom a file of dir is encrypted: given, or what .age-recipients says.
func recipientsFor(dir string, given []secrets.Recipient) ([]secrets.Recipient, error) {
	if len(given) > 0 {
		return given, nil
	}
	file := secrets.FindRecipients(dir)
	if file == "" {
		return nil, fmt.Errorf("say for whom to encrypt: -r age1..., -R FILE, -p, or a file %s in %s or above", secrets.RecipientsFile, dir)
	}
	return secrets.ReadRecipients(file)
}

// encryptedOtherwise refuses what another tool has to change.
func encryptedOtherwise(name string, b []byte, vault, sops string) error {
	switch secrets.KindOf(name, b) {
	case secrets.None:
		return inClear(name, b)
	case secrets.Vault:
		return fmt.Errorf("%s is encrypted by Ansible Vault, which labctl only reads: %s %s", name, vault, name)
	case secrets.Sops:
		return fmt.Errorf("%s is encrypted by sops, whose files labctl only reads: %s %s", name, sops, name)
	}
	return nil
}

// inClear says what can be done with a file that is not encrypted as a whole.
func inClear(name string, b []byte) error {
	switch {
	case secrets.HasValues(b):
		return fmt.Errorf("%s is not encrypted, but values in it are: edit it as it is; labctl secret encrypt --name NAME makes another value, labctl secret rekey %s changes for whom they are", name, name)
	case secrets.HasVaultValues(b):
		return fmt.Errorf("%s is not encrypted, but values in it are, by Ansible Vault, which labctl only reads: ansible-vault encrypt_string makes another", name)
	}
	return fmt.Errorf("%s is not encrypted: labctl secret encrypt %s", name, name)
}
