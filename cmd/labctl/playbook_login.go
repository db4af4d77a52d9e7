package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"labctl/cmd/labctl/internal/prompt"
	"labctl/inventory"
	"labctl/inventory/source"
	"labctl/transport"
)

// ansibleLogin is what Ansible's command line, environment and configuration say of connections. It is less than what the
// inventory says.
type ansibleLogin struct {
	user, key, connection string
	timeout               int
	common, extra, args   string // options of ssh(1)
	checking              *bool  // of host keys
	askPass               bool
	passFile              string // that holds the password
}

func (l *ansibleLogin) register(fs *pflag.FlagSet) {
	fs.StringVarP(&l.user, "user", "u", "", "user to log in as")
	fs.StringVar(&l.key, "private-key", "", "file of the private key")
	fs.StringVarP(&l.connection, "connection", "c", "", "ssh, smart or local")
	fs.IntVarP(&l.timeout, "timeout", "T", 0, "how long connecting may take, in seconds")
	fs.StringVar(&l.common, "ssh-common-args", "", "options for ssh")
	fs.StringVar(&l.extra, "ssh-extra-args", "", "options for ssh")
	fs.BoolVarP(&l.askPass, "ask-pass", "k", false, "ask for the password of the login, before anything else")
	fs.StringVar(&l.passFile, "connection-password-file", "", "file that holds the password of the login, or prints it")
}

// settings are those for hosts of which the inventory says nothing else. What is asked for is asked now.
func (a *app) ansibleSettings(ctx context.Context, l *ansibleLogin, as *becomeFlags) (inventory.SSH, error) {
	out, err := inventory.ParseSSHArgs(strings.Join([]string{l.args, l.common, l.extra}, " "))
	if err != nil {
		return out, fmt.Errorf("read the arguments for ssh (ANSIBLE_SSH_ARGS, --ssh-common-args, --ssh-extra-args): %w", err)
	}
	set(&out.User, l.user)
	if l.key != "" {
		out.IdentityFiles = append([]string{l.key}, out.IdentityFiles...)
	}
	out.ConnectTimeout = time.Duration(l.timeout) * time.Second
	switch l.connection {
	case "", "ssh", "smart", "paramiko", "paramiko_ssh":
	case inventory.ConnectLocal:
		out.Connection = inventory.ConnectLocal
	default:
		return out, fmt.Errorf("--connection %s is not known: ssh, smart or local", l.connection)
	}
	if l.checking != nil && !*l.checking {
		out.HostKeyPolicy = "off"
	}
	if err := as.checkMethod(); err != nil {
		return out, err
	}
	return out, a.passwords(ctx, l, as, &out)
}

// passwords reads or asks for the password of the login, with the words of ansible-playbook; that of become, which it is the default
// of, is asked for later.
func (a *app) passwords(ctx context.Context, l *ansibleLogin, as *becomeFlags, to *inventory.SSH) error {
	password, err := a.password(ctx, l.passFile, l.askPass, "SSH password: ", "--connection-password-file")
	if err != nil {
		return err
	}
	to.Password = inventory.NewSecret(password)
	if as.fallback = password; l.askPass {
		as.prompt = "BECOME password[defaults to SSH password]: "
	}
	return nil
}

// password is what a file holds or, if it can be executed, prints; or else the answer to a question. instead is the option that
// names a file.
func (a *app) password(ctx context.Context, file string, ask bool, question, instead string) (string, error) {
	if file == "" {
		if !ask {
			return "", nil
		}
		answer, err := a.prompter.Ask(ctx, transport.Question{Fields: []transport.Field{{Prompt: question}}})
		if errors.Is(err, prompt.ErrNoTerminal) {
			return "", fmt.Errorf("ask for a password: %w; or name a file that holds it with %s", err, instead)
		}
		if err != nil {
			return "", fmt.Errorf("ask for a password: %w", err)
		}
		return answer[0], nil
	}
	b, err := a.passwordFile(ctx, file)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	if b = []byte(strings.Trim(string(b), "\r\n")); len(b) == 0 {
		return "", fmt.Errorf("read password: %s holds none", file)
	}
	return string(b), nil
}

func (a *app) passwordFile(ctx context.Context, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(a.in)
	}
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		file = os.Getenv("HOME") + "/" + rest
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
		if !strings.Contains(file, "/") {
			file = "./" + file
		}
		return a.runCommand(ctx, source.Command{Args: []string{file}})
	}
	return os.ReadFile(file)
}
