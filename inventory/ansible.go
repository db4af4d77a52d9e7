package inventory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// The variables by which Ansible is told how to reach a host mean the same here, wherever a host or group gets them: what other
// tools write for Ansible works as it is. Where a setting has several names, the one that Ansible heeds most comes first: its
// ssh plugin takes the last of its list that is set (ansible.plugins.connection.ssh, ConfigManager._loop_entries).
var connectionVars = []struct {
	names []string
	set   func(*connection, cty.Value) error
}{
	{[]string{"ansible_ssh_host", "ansible_host"}, text(func(c *connection, s string) { c.address = s })},
	{[]string{"ansible_ssh_port", "ansible_port"}, (*connection).setPort},
	{[]string{"ansible_ssh_user", "ansible_user"}, text(func(c *connection, s string) { c.ssh.User = s })},
	{[]string{"ansible_ssh_password", "ansible_ssh_pass", "ansible_password"}, text(func(c *connection, s string) { c.ssh.Password = NewSecret(s) })},
	{[]string{"ansible_ssh_private_key_file", "ansible_private_key_file"}, text(func(c *connection, s string) { c.ssh.IdentityFiles = []string{s} })},
	{[]string{"ansible_ssh_args"}, (*connection).setArgs},
	{[]string{"ansible_ssh_common_args"}, (*connection).setArgs},
	{[]string{"ansible_ssh_extra_args"}, (*connection).setArgs},
	{[]string{"ansible_ssh_host_key_checking", "ansible_host_key_checking"}, (*connection).setChecking},
	{[]string{"ansible_ssh_timeout", "ansible_timeout"}, (*connection).setTimeout},
	{[]string{"ansible_connection"}, (*connection).setKind},
	{[]string{"ansible_become"}, (*connection).setBecome},
	{[]string{"ansible_sudo_user", "ansible_become_user"}, text(func(c *connection, s string) { c.ssh.BecomeUser = s })},
	{[]string{"ansible_become_method"}, (*connection).setBecomeMethod},
	{[]string{"ansible_become_password", "ansible_become_pass", "ansible_sudo_pass", "ansible_su_pass"}, text(func(c *connection, s string) { c.ssh.BecomePassword = NewSecret(s) })},
	{[]string{"ansible_become_flags", "ansible_sudo_flags"}, text(func(c *connection, s string) { c.ssh.BecomeFlags = strings.Fields(s) })},
}

// secretVars hold secrets, whoever gives them.
var secretVars = map[string]bool{
	"ansible_password": true, "ansible_ssh_pass": true, "ansible_ssh_password": true, "ansible_become_password": true,
	"ansible_become_pass": true, "ansible_sudo_pass": true, "ansible_su_pass": true,
}

// Sensitive is the mark on values that may not be shown.
const Sensitive = Mark("sensitive")

// Mark is the type of Sensitive.
type Mark string

// connection is what the variables of one host say.
type connection struct {
	address string
	ssh     SSH
}

// connect completes how a host is reached, which its block has begun, by what sources have found and by Ansible's variables.
func (d *decoder) connect(h *Host) {
	c := said(h.Vars, func(name string, err error) { d.variableFault(h, name, err) })
	for name := range secretVars {
		if v, ok := h.Vars[name]; ok {
			h.Vars[name] = v.Mark(Sensitive)
		}
	}
	if d.over.address != "" {
		h.Address = d.over.address
	}
	over := d.over.ssh
	over.fill(h.SSH)
	h.SSH = over
	if h.Address == "" {
		h.Address = c.address
	}
	if h.Address == "" {
		h.Address = d.foundAddress[h]
	}
	h.fill(c.ssh)
	h.fill(d.foundSSH[h])
}

// said is what variables say of a connection.
func said(vars map[string]cty.Value, fault func(name string, err error)) connection {
	c := connection{}
	eachConnectionVar(vars, func(name string, take func(*connection) error) {
		if err := take(&c); err != nil {
			fault(name, err)
		}
	})
	return c
}

// eachConnectionVar calls f with each of Ansible's variables that counts, of those that mean the same the first, and with what sets
// what it says.
func eachConnectionVar(vars map[string]cty.Value, f func(name string, take func(*connection) error)) {
	for _, v := range connectionVars {
		for _, name := range v.names {
			if val, ok := vars[name]; ok && !val.IsNull() {
				f(name, func(c *connection) error { return c.take(v.set, val) })
				break
			}
		}
	}
}

// take sets what a variable says, when it can be read.
func (c *connection) take(set func(*connection, cty.Value) error, v cty.Value) error {
	switch why := UnopenedIn(v.Marks()); {
	case why != "":
		return errors.New(string(why))
	case v.HasMark(Template):
		return errors.New("it is a template of Jinja that does more than name other variables, which labctl does not evaluate")
	}
	v, _ = v.UnmarkDeep()
	return set(c, v)
}

// variableFault tells of a variable where it was written.
func (d *decoder) variableFault(h *Host, name string, err error) {
	rng := h.DeclRange
	for _, o := range d.inv.Explain(h) {
		if o.Name == name && o.Wins {
			rng = o.Range
		}
	}
	for _, told := range d.diags {
		if told.Subject != nil && *told.Subject == rng {
			return // one place may speak for many hosts
		}
	}
	d.fault(rng, "Wrong variable", "The variable %s of host %s: %s.", name, h.Name, err)
}

// text makes a setter of a text.
func text(set func(*connection, string)) func(*connection, cty.Value) error {
	return func(c *connection, v cty.Value) error {
		v, err := convert.Convert(v, cty.String)
		if err != nil {
			return err
		}
		set(c, v.AsString())
		return nil
	}
}

func (c *connection) setPort(v cty.Value) error {
	v, err := convert.Convert(v, cty.String)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(v.AsString(), 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a port, which is a number from 1 to 65535", v.AsString())
	}
	c.ssh.Port = int(n)
	return nil
}

// truth is Truth of a variable, which may be a bool already.
func truth(v cty.Value) (bool, error) {
	if v.Type() == cty.Bool {
		return v.True(), nil
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return false, err
	}
	return Truth(s.AsString())
}

// Truth reads what Ansible takes for true and false (ansible.module_utils.parsing.convert_bool).
func Truth(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "y", "yes", "on", "1", "true", "t":
		return true, nil
	case "n", "no", "off", "0", "false", "f":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func (c *connection) setChecking(v cty.Value) error {
	on, err := truth(v)
	if err == nil && !on {
		c.ssh.HostKeyPolicy = "off"
	}
	return err
}

// setBecome says whether another user is become, whatever plays and tasks say: so Ansible has it.
func (c *connection) setBecome(v cty.Value) error {
	on, err := truth(v)
	c.ssh.Become = &on
	return err
}

func (c *connection) setTimeout(v cty.Value) error {
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(s.AsString())
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number of seconds", s.AsString())
	}
	c.ssh.ConnectTimeout = time.Duration(n) * time.Second
	return nil
}

var connectionKinds = map[string]string{
	"ssh": ConnectSSH, "smart": ConnectSSH, "paramiko": ConnectSSH, "paramiko_ssh": ConnectSSH, "local": ConnectLocal,
	"ansible.builtin.ssh": ConnectSSH, "ansible.builtin.paramiko_ssh": ConnectSSH, "ansible.builtin.local": ConnectLocal,
}

func (c *connection) setKind(v cty.Value) error {
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return err
	}
	kind, ok := connectionKinds[s.AsString()]
	if !ok {
		c.ssh.Connection = s.AsString() // told when somebody wants to connect
		return nil
	}
	c.ssh.Connection = kind
	return nil
}

func (c *connection) setBecomeMethod(v cty.Value) error {
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return err
	}
	method := strings.TrimPrefix(strings.TrimPrefix(s.AsString(), "ansible.builtin."), "community.general.")
	if !slices.Contains(BecomeMethods, method) {
		return fmt.Errorf("labctl becomes another user by sudo, doas or su, not by %s", method)
	}
	c.ssh.BecomeMethod = method
	return nil
}

// setArgs reads arguments of ssh(1). What is given first counts.
func (c *connection) setArgs(v cty.Value) error {
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return err
	}
	args, err := ParseSSHArgs(s.AsString())
	if err != nil {
		return err
	}
	c.ssh.fill(args)
	return nil
}

// IsSecret reports whether a variable of that name holds a secret.
func IsSecret(name string) bool { return secretVars[name] }

// idleVars are variables of Ansible that say how it gets its own work done, which is none of labctl's.
var idleVars = map[string]bool{
	"ansible_shell_type": true, "ansible_shell_executable": true, "ansible_pipelining": true, "ansible_ssh_pipelining": true,
	"ansible_ssh_retries": true, "ansible_ssh_transfer_method": true, "ansible_ssh_use_tty": true, "ansible_ssh_executable": true,
	"ansible_scp_executable": true, "ansible_sftp_executable": true, "ansible_scp_extra_args": true, "ansible_sftp_extra_args": true,
	"ansible_scp_if_ssh": true, "ansible_sftp_batch_mode": true, "ansible_control_path": true, "ansible_control_path_dir": true,
	"ansible_remote_tmp": true, "ansible_async_dir": true,
}

// IsAnsible reports whether a variable tells Ansible, whoever declares it, how to reach hosts or to do its work there.
func IsAnsible(name string) bool {
	return idleVars[name] || slices.Contains(ConnectionVars(), name) ||
		strings.HasPrefix(name, "ansible_") && strings.HasSuffix(name, "_interpreter")
}

// ConnectionVars are the names of the variables that tell how to connect, sorted.
func ConnectionVars() []string {
	names := map[string]bool{}
	for _, v := range connectionVars {
		for _, n := range v.names {
			names[n] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// The marks on values that were found and cannot be used as they are.
const (
	Template = Mark("template") // a text with a template of Jinja
)

// Unopened is the mark on a value that is encrypted and has not been opened. It says why, as the end of a sentence that begins with
// the name of the variable.
type Unopened string

// UnopenedIn returns the mark among marks, or "".
func UnopenedIn(marks cty.ValueMarks) Unopened {
	for m := range marks {
		if u, ok := m.(Unopened); ok {
			return u
		}
	}
	return ""
}
