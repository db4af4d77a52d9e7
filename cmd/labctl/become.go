package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"labctl/transport"
)

// becomeFlags say how to become another user. They are Ansible's, and less than what the inventory and the site say.
type becomeFlags struct {
	on           bool
	user, method string
	ask          bool
	passwordFile string
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

// become settles how to become another user where the site does not say it. The password is asked for now.
func (a *app) become(ctx context.Context, f *becomeFlags, s *siteFlags, c *connectFlags) (err error) {
	if err := f.checkMethod(); err != nil {
		return err
	}
	switch {
	case f.ask && f.passwordFile != "":
		return errors.New("-K (--ask-become-pass) and --become-password-file are one too many")
	case f.ask && c.batch:
		return errors.New("-K (--ask-become-pass) asks, which --batch forbids: use --become-password-file")
	}
	s.become, s.user, s.login.BecomeMethod = f.on, f.user, f.method
	s.login.BecomePassword, err = a.password(ctx, f.passwordFile, f.ask, "BECOME password: ")
	return err
}
