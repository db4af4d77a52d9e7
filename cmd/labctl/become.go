package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"labctl/runner"
	"labctl/transport"
)

// becomeFlags say how to become another user. They are Ansible's, and less than what the inventory and the site say.
type becomeFlags struct {
	on           bool
	user, method string
	ask          bool
	passwordFile string

	prompt   string // in place of Ansible's
	fallback string // the password where the answer is empty
	password string // once read or asked for
}

// register declares the flags; usage is what --become does, on whether it is the default.
func (f *becomeFlags) register(fs *pflag.FlagSet, usage string, on bool) {
	fs.BoolVarP(&f.on, "become", "b", on, usage)
	fs.StringVar(&f.user, "become-user", "", "the user to become (root)")
	fs.StringVar(&f.method, "become-method", "", "sudo, doas or su (sudo)")
	fs.BoolVarP(&f.ask, "ask-become-pass", "K", false, "ask for the password to become another user, once, before the run")
	fs.StringVar(&f.passwordFile, "become-password-file", "", "file that holds that password, or program that prints it; - for standard input")
}

// name is the user to become, "" for none.
func (f *becomeFlags) name() string {
	if !f.on {
		return ""
	}
	return first(f.user, "root")
}

// checkMethod refuses a method that there is not.
func (f *becomeFlags) checkMethod() error {
	switch f.method {
	case "", transport.BecomeSudo, transport.BecomeDoas, transport.BecomeSu:
		return nil
	}
	return fmt.Errorf("--become-method %s is not known: sudo, doas or su", f.method)
}

// become settles how to become another user where the site does not say it. The password is asked for once the site is valid.
func (a *app) become(f *becomeFlags, s *siteFlags, c *connectFlags) error {
	if err := f.checkMethod(); err != nil {
		return err
	}
	switch {
	case f.ask && f.passwordFile != "":
		return errors.New("-K (--ask-become-pass) and --become-password-file are one too many")
	case f.ask && c.batch:
		return errors.New("-K (--ask-become-pass) asks, which --batch forbids: use --become-password-file")
	}
	s.become, s.user, c.becomes = f.on, f.user, f
	return nil
}

const becomePrompt = "BECOME password: "

// becoming is what the command line says of becoming another user. It asks for the password.
func (a *app) becoming(c *connectFlags) (out runner.Becoming, err error) {
	f := c.becomes
	if f == nil {
		return out, nil
	}
	if f.password == "" { // labctl-playbook plays several sites
		if f.password, err = a.password(a.ctx, f.passwordFile, f.ask, first(f.prompt, becomePrompt), "--become-password-file"); err != nil {
			return out, err
		}
		if f.ask {
			f.password = first(f.password, f.fallback)
		}
	}
	out.Method, out.Password = f.method, f.password
	if ask := a.asker(c); f.ask && f.passwordFile == "" && ask != nil {
		out.Again = func(ctx context.Context, host string) (string, error) {
			answer, err := ask(ctx, transport.Question{Fields: []transport.Field{{Prompt: host + " refused that. " + becomePrompt}}})
			if err != nil {
				return "", err
			}
			f.password = answer[0]
			return answer[0], nil
		}
	}
	return out, nil
}
