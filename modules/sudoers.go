package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Sudoers]{
		Name: "sudoers",
		Doc:  "Keeps a file in /etc/sudoers.d, of one rule or with a content of its own. visudo(8) checks it before it is put in place.",
		Example: `sudoers "admins" {
  group      = "sudo"
  nopassword = true
}
sudoers "deploy" {
  user     = "deploy"
  commands = ["/usr/bin/systemctl restart web", "/usr/bin/journalctl -u web"]
  runas    = "root"
}
`,
		Validate: (*Sudoers).validate, Complete: (*Sudoers).complete, Read: readSudoers, Apply: applySudoers,
	})
}

// Sudoers is a file of sudoers(5).
type Sudoers struct {
	Name       string   `json:"name" lab:"key" doc:"Name of the file in /etc/sudoers.d."`
	User       string   `json:"user,omitempty" lab:"option" doc:"User whom the rule allows something; or group."`
	Group      string   `json:"group,omitempty" lab:"option" doc:"Group whose members it allows something."`
	Commands   []string `json:"commands,omitempty" lab:"option" default:"[\"ALL\"]" doc:"What it allows, with absolute paths, as sudoers(5) has it: a comma, colon, equals sign or backslash in it needs a backslash before it."`
	RunAs      string   `json:"runas,omitempty" lab:"option" default:"ALL" doc:"User as whom it may be done, or user:group."`
	NoPassword bool     `json:"nopassword,omitempty" lab:"option" doc:"Do not ask for a password."`
	Content    *string  `json:"content,omitempty" lab:"text" doc:"The whole file, in place of a rule."`
	Owner      string   `json:"owner,omitempty" lab:"derived" doc:"Owner of the file; sudo wants root."`
	Mode       string   `json:"mode,omitempty" lab:"derived" doc:"Permissions of the file."`
}

func (s *Sudoers) validate() error {
	if strings.IndexFunc(s.Name, func(r rune) bool { return r != '_' && notInHostname(r) }) >= 0 || s.Name == "" {
		return argf("name", "sudo skips %q: a name is of letters, digits, underscores and hyphens", s.Name)
	}
	if s.Content != nil {
		if s.User+s.Group+s.RunAs != "" || s.Commands != nil || s.NoPassword {
			return argf("content", "cannot be together with a rule")
		}
		if *s.Content != "" && !strings.HasSuffix(*s.Content, "\n") {
			*s.Content += "\n"
		}
		return nil
	}
	if s.User != "" && s.Group != "" {
		return argf("group", "cannot be together with user")
	}
	if s.User == "" && s.Group == "" {
		return nil
	}
	for i, c := range s.Commands {
		if c == "" || strings.ContainsAny(c, "\n\r\x00") || c != "ALL" && c[0] != '/' && c[0] != '!' && strings.ToUpper(c) != c && !strings.HasPrefix(c, "sudoedit ") {
			return argf(fmt.Sprintf("commands[%d]", i), "%q is not an absolute path with arguments, ALL or the name of an alias", c)
		}
	}
	if err := firstFault(validIf("user", s.User), validIf("group", s.Group), oneLine("runas", s.RunAs)); err != nil {
		return err
	}
	s.Content = ptr(s.rule())
	return nil
}

// validIf checks the name of a user or group where it is given.
func validIf(path, name string) error {
	if name == "" {
		return nil
	}
	return validAccount(path, name)
}

func (s *Sudoers) complete() error {
	if s.Content == nil {
		return argf("user", "user, group or content is needed")
	}
	return nil
}

// rule writes the rule as sudoers(5) has it.
func (s *Sudoers) rule() string {
	who, runas, commands := s.User, s.RunAs, s.Commands
	if s.Group != "" {
		who = "%" + s.Group
	}
	if runas == "" {
		runas = "ALL"
	}
	if commands == nil {
		commands = []string{"ALL"}
	}
	tag := ""
	if s.NoPassword {
		tag = "NOPASSWD: "
	}
	return fmt.Sprintf("%s ALL=(%s) %s%s\n", strings.NewReplacer(`\`, `\\`, "=", `\=`, "@", `\@`).Replace(who), runas, tag, strings.Join(commands, ", "))
}

func (s *Sudoers) path() string { return "/etc/sudoers.d/" + s.Name }

func readSudoers(ctx context.Context, h host.Host, want *Sudoers) (*Sudoers, error) {
	want.Owner, want.Mode = "root", "0440"
	c := content{Content: want.Content}
	have, err := c.read(ctx, h, want.path())
	if have == nil || err != nil {
		return nil, err
	}
	return &Sudoers{Name: want.Name, Content: have.Content, Owner: *have.Owner, Mode: *have.Mode}, nil
}

func applySudoers(ctx context.Context, h host.Host, have, want *Sudoers, d Diff) error {
	if want == nil {
		return h.Files().Remove(ctx, have.path(), false)
	}
	if err := want.check(ctx, h); err != nil {
		return err
	}
	a := host.FileAttrs{Mode: mode(0o440).Mode, Owner: want.Owner}
	return inMissingDirectory(h.Files().Write(ctx, want.path(), inlineContent(*want.Content), a))
}

// check asks visudo, also in a plan; there it may be missing, since a package that brings it is planned.
func (s *Sudoers) check(ctx context.Context, h host.Host) error {
	res, err := h.Commands().Check(ctx, host.Exec{Argv: []string{"visudo", "-cf", "-"}, Stdin: []byte(*s.Content)})
	switch {
	case host.Planning(h) && (errors.Is(err, host.ErrNotExist) || errors.Is(err, host.ErrUnsupported)):
		return nil
	case errors.Is(err, host.ErrNotExist):
		return fmt.Errorf("check the rule: %w: install sudo first", err)
	case err != nil:
		return err
	case res.Status != 0:
		return argf("content", "visudo refuses it: %s", bytes.TrimSpace(append(res.Stdout, res.Stderr...)))
	}
	return nil
}
