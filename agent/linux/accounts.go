package linux

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/accounts"

	"golang.org/x/sys/unix"
)

// userTools is host.Accounts by the tools of shadow-utils.
type userTools struct{ h *Host }

var _ host.Accounts = userTools{}

// Accounts returns the users and groups of the machine, changed by useradd(8) and its like or, without them, in the files.
func (h *Host) Accounts() host.Accounts {
	if h.lookTool("useradd") == "" {
		return accounts.Editor{Files: h.Files(), Lock: lockAccounts} // busybox has no usermod
	}
	return userTools{h}
}

// run runs a tool. A status is mapped to a kind by the exit values of useradd(8), groupadd(8) and their like.
func (t userTools) run(ctx context.Context, op, object, stdin, tool string, args ...string) error {
	path := t.h.lookTool(tool)
	if path == "" {
		return &host.Error{Op: op, Object: object, Kind: host.ErrUnsupported, Err: fmt.Errorf("%s is not installed", tool)}
	}
	t.h.writes.Add(1)
	_, err := runTool(ctx, path, stdin, args...)
	if err == nil {
		return nil
	}
	e := &host.Error{Op: op, Object: object, Err: err, Kind: kind(err)}
	if te, ok := err.(*toolError); ok { //nolint:errorlint // runTool returns it bare
		e.Kind = map[int]error{6: host.ErrNotExist, 8: host.ErrBusy, 9: host.ErrExist}[te.status]
	}
	return e
}

// option adds name and value where the value is set.
func option[T any](args []string, name string, value *T) []string {
	if value == nil {
		return args
	}
	return append(args, name, fmt.Sprint(*value))
}

func userArgs(u host.User) []string {
	var args []string
	args = option(option(args, "-u", u.UID), "-g", u.GID)
	args = option(option(option(args, "-c", u.Comment), "-d", u.Home), "-s", u.Shell)
	if u.Groups != nil {
		args = append(args, "-G", strings.Join(u.Groups, ","))
	}
	return args
}

func (t userTools) AddUser(ctx context.Context, u host.User) error {
	args := append(userArgs(u), "-M")
	if u.System {
		args = append(args, "-r")
	}
	if err := t.run(ctx, "add user", u.Name, "", "useradd", append(args, u.Name)...); err != nil {
		return err
	}
	return t.password(ctx, u)
}

func (t userTools) SetUser(ctx context.Context, u host.User) error {
	if args := userArgs(u); args != nil {
		if err := t.run(ctx, "change user", u.Name, "", "usermod", append(args, u.Name)...); err != nil {
			return err
		}
	}
	return t.password(ctx, u)
}

// password hands the hash over on standard input: arguments can be seen by everyone (proc_pid_cmdline(5)).
func (t userTools) password(ctx context.Context, u host.User) error {
	if u.Password == nil {
		return nil
	}
	return t.run(ctx, "set password of", u.Name, u.Name+":"+*u.Password+"\n", "chpasswd", "-e")
}

func (t userTools) DeleteUser(ctx context.Context, name string) error {
	return t.run(ctx, "delete user", name, "", "userdel", name)
}

func (t userTools) AddGroup(ctx context.Context, g host.Group) error {
	args := option(nil, "-g", g.GID)
	if g.System {
		args = append(args, "-r")
	}
	if err := t.run(ctx, "add group", g.Name, "", "groupadd", append(args, g.Name)...); err != nil {
		return err
	}
	return t.members(ctx, g)
}

func (t userTools) SetGroup(ctx context.Context, g host.Group) error {
	if g.GID != nil {
		if err := t.run(ctx, "change group", g.Name, "", "groupmod", "-g", strconv.Itoa(*g.GID), g.Name); err != nil {
			return err
		}
	}
	return t.members(ctx, g)
}

func (t userTools) members(ctx context.Context, g host.Group) error {
	if g.Members == nil {
		return nil
	}
	return t.run(ctx, "set members of", g.Name, "", "gpasswd", "-M", strings.Join(g.Members, ","), g.Name)
}

func (t userTools) DeleteGroup(ctx context.Context, name string) error {
	return t.run(ctx, "delete group", name, "", "groupdel", name)
}

// lockAccounts holds the lock of lckpwdf(3) while fn runs.
func lockAccounts(ctx context.Context, fn func() error) error {
	f, err := os.OpenFile("/etc/.pwd.lock", os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fileError("lock", "/etc/.pwd.lock", err)
	}
	defer f.Close()
	if err := waitLock(ctx, int(f.Fd()), &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		return fileError("lock", "/etc/.pwd.lock", err)
	}
	return fn()
}
