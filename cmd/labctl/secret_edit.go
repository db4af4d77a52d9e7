package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"labctl/cmd/labctl/internal/wholefile"
	"labctl/inventory/secrets"
)

func (a *app) secretEditCmd() *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use:   "edit FILE",
		Short: "Edit an encrypted file, or begin one",
		Long: `Opens what is in the file with $VISUAL, $EDITOR or vi, and encrypts it again if
it was changed. Meanwhile it lies in a directory that only you can read, in
memory where there is such a place; that is removed however the editor ends.

A file of age does not tell for whom it is. It is encrypted again for those
whom -r, -R or -p name, or .age-recipients; without those, for you alone if it
was for nobody else before.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			given, err := f.given(a)
			if err != nil {
				return err
			}
			return a.editSealed(args[0], &f, given)
		},
	}
	f.registerOpening(cmd)
	f.registerSealing(cmd)
	return cmd
}

func (a *app) editSealed(name string, f *sealFlags, to []secrets.Recipient) error {
	b, err := os.ReadFile(name)
	isNew := errors.Is(err, fs.ErrNotExist)
	var plain []byte
	armored := true
	switch {
	case isNew:
		to, err = recipientsFor(filepath.Dir(name), to)
	case err != nil:
		err = fmt.Errorf("edit %w", err)
	default:
		armored = secrets.Armored(b)
		plain, to, err = a.openToEdit(name, b, f, to)
	}
	if err != nil {
		return err
	}
	text, kept, err := a.edit(filepath.Base(name), plain)
	defer kept.remove()
	if err != nil {
		return fmt.Errorf("edit %s: %w; it is as it was", name, err)
	}
	if bytes.Equal(text, plain) {
		_, err := fmt.Fprintf(a.err, "%s is unchanged.\n", name)
		return err
	}
	sealed, err := secrets.Seal(text, to, armored)
	if err == nil {
		err = wholefile.Write(wholefile.File{Path: name, Content: sealed})
	}
	if err != nil {
		return fmt.Errorf("%w (what you have written is in %s, in clear)", err, kept.keep())
	}
	return nil
}

// openToEdit opens a file, and finds out for whom to encrypt it again before anybody has taken pains.
func (a *app) openToEdit(name string, b []byte, f *sealFlags, to []secrets.Recipient) ([]byte, []secrets.Recipient, error) {
	if err := encryptedOtherwise(name, b, "ansible-vault edit", "sops"); err != nil {
		return nil, nil, err
	}
	plain, again, err := a.keys(&f.keyFlags).OpenAgain(name, b)
	if err != nil {
		return nil, nil, fmt.Errorf("edit %s: %w", name, err)
	}
	if len(to) == 0 && (again == nil || secrets.FindRecipients(filepath.Dir(name)) != "") {
		if to, err = recipientsFor(filepath.Dir(name), to); err != nil {
			return nil, nil, fmt.Errorf("edit %s: it is for several recipients, and does not tell for whom: %w", name, err)
		}
	}
	if len(to) == 0 {
		to = again
	}
	return plain, to, nil
}

// scratch is a directory that is removed after use.
type scratch struct{ dir string }

func (s *scratch) remove() {
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// keep leaves the directory where it is.
func (s *scratch) keep() (dir string) {
	dir, s.dir = s.dir, ""
	return dir
}

// inMemory is a directory whose files are not written to a disk, or that of temporary files.
func inMemory() string {
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if info, err := os.Stat(dir); dir != "" && err == nil && info.IsDir() {
			return dir
		}
	}
	return os.TempDir()
}

// edit has the user edit a text. Ctrl-C is the editor's while it runs; what ends labctl ends the editor, too.
func (a *app) edit(name string, text []byte) (out []byte, s *scratch, err error) {
	a.held.Store(true)
	defer a.held.Store(false)
	ctx, stop := signal.NotifyContext(a.ctx, syscall.SIGHUP)
	defer stop()
	quit := make(chan os.Signal, 1) // Ctrl-\ is the editor's, too
	signal.Notify(quit, syscall.SIGQUIT)
	defer signal.Stop(quit)
	s = &scratch{}
	if s.dir, err = os.MkdirTemp(inMemory(), "labctl-edit-"); err != nil {
		return nil, s, err
	}
	file := filepath.Join(s.dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, s, err
	}
	if err := a.runEditor(ctx, file); err != nil {
		return nil, s, err
	}
	out, err = os.ReadFile(file)
	return out, s, err
}

// runEditor runs the user's editor as git does (prepare_shell_cmd in run-command.c): by a shell only if there is something in its command
// line that asks for one, since a shell would stand between it and the signals for it.
func (a *app) runEditor(ctx context.Context, file string) error {
	editor := first(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	words := append(strings.Fields(editor), file)
	if strings.ContainsAny(editor, "|&;<>()$`\\\"'\n*?[#~=%") {
		words = []string{"sh", "-c", editor + ` "$@"`, editor, file}
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // the user's own
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return errInterrupted
	case err != nil:
		return fmt.Errorf("the editor (%s) failed: %w", editor, err)
	}
	return nil
}
