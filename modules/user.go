package modules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

func init() {
	Register(Spec[User]{
		Name: "user",
		Doc:  "Manages a user of the machine: its entry in /etc/passwd, its groups, its password and its home.",
		Example: `user "alice" {
  comment = "Alice"
  shell   = "/bin/bash"
  groups  = ["sudo"]
  append  = true
}
user "metrics" {
  system = true
  shell  = "/usr/sbin/nologin"
}
user "bob" {
  ensure = "absent"
  remove = true
}
`,
		Validate: (*User).validate, Read: readUser, Apply: applyUser,
	})
}

// User is an entry of passwd(5) and what belongs to it.
type User struct {
	Name         string   `json:"name" lab:"key" doc:"Login name."`
	UID          *int     `json:"uid,omitempty" doc:"Number; the next free one if unset."`
	Group        *string  `json:"group,omitempty" doc:"Name or number of its own group, which must exist; if unset, a new user gets one of its name."`
	Groups       []string `json:"groups,omitempty" lab:"set" doc:"The other groups that it is a member of, which must exist; left alone if unset."`
	Append       bool     `json:"append,omitempty" lab:"option" doc:"Add to groups only; what else it is a member of stays."`
	Comment      *string  `json:"comment,omitempty" doc:"Full name or description (GECOS)."`
	Home         *string  `json:"home,omitempty" doc:"Home directory; a new user has it in /home. One that is changed is not moved."`
	Shell        *string  `json:"shell,omitempty" doc:"Login shell; a new user has that of useradd(8)."`
	CreateHome   *bool    `json:"create_home,omitempty" doc:"The home directory exists, made with what is in /etc/skel. Unset: for a new user that is not a system user."`
	System       bool     `json:"system,omitempty" lab:"option" doc:"A new user is one of the system: a low number, and no home unless create_home says so."`
	Password     *string  `json:"password,omitempty" lab:"sensitive" doc:"Hash of the password (crypt(5)), or * for none; left alone if unset. A new user has none."`
	PasswordLock *bool    `json:"password_lock,omitempty" doc:"The password is not accepted; left alone if unset. Keys are."`
	Remove       bool     `json:"remove,omitempty" lab:"option" doc:"Absent: remove the home directory, too, if it is the user's."`
}

// validAccount refuses what no user or group can be called (useradd(8)).
func validAccount(path, name string) error {
	if name == "" || len(name) > 32 || strings.ContainsAny(name, ":,/ \t\n\x00") || name[0] == '-' || name[0] == '+' || strings.Trim(name, "0123456789") == "" {
		return argf(path, "%q is not the name of a user or group", name)
	}
	return nil
}

func (u *User) validate() error {
	for path, s := range map[string]*string{"comment": u.Comment, "home": u.Home, "shell": u.Shell, "password": u.Password} {
		if s != nil && strings.ContainsAny(*s, ":\n\x00") {
			return argf(path, "may not contain a colon or a line end")
		}
	}
	for i, g := range u.Groups {
		if err := validAccount(fmt.Sprintf("groups[%d]", i), g); err != nil {
			return err
		}
	}
	for path, p := range map[string]*string{"home": u.Home, "shell": u.Shell} {
		if p != nil {
			if err := absolute(path, *p); err != nil {
				return err
			}
		}
	}
	switch {
	case u.Append && u.Groups == nil:
		return argf("append", "needs groups")
	case u.Password != nil && *u.Password == "*" && u.PasswordLock != nil && !*u.PasswordLock:
		return argf("password_lock", "there is no password to accept")
	case u.Password != nil && (*u.Password == "" || (*u.Password)[0] != '*' && (*u.Password)[0] != '$' && len(*u.Password) < 13):
		return argf("password", "is not a hash of crypt(5) such as $6$...; openssl passwd -6 makes one")
	}
	return firstFault(validAccount("name", u.Name), inRange("uid", u.UID, 0, 1<<31-1))
}

func readUser(ctx context.Context, h host.Host, want *User) (*User, error) {
	entry, err := accounts.User(ctx, h.Files(), want.Name)
	if entry == nil || err != nil {
		return nil, err
	}
	have := &User{Name: want.Name, UID: ptr(accounts.Number(entry, accounts.ID)), Comment: &entry[accounts.Comment], Home: &entry[accounts.Home],
		Shell: &entry[accounts.Shell], Remove: want.Remove}
	if have.CreateHome, err = want.homeExists(ctx, h, *have.Home); err != nil {
		return nil, err
	}
	if err := have.readGroups(ctx, h, want, entry[accounts.GID]); err != nil {
		return nil, err
	}
	if want.Password == nil && want.PasswordLock == nil {
		return have, nil
	}
	secret, err := readPassword(ctx, h, want.Name)
	have.Password, have.PasswordLock = ptr(strings.TrimLeft(secret, "!")), ptr(secret != "" && strings.Contains("!*", secret[:1]))
	return have, err
}

// homeExists tells whether the home that is wanted is there, if that is asked; where none is to be made, what is there is right.
func (u *User) homeExists(ctx context.Context, h host.Host, home string) (*bool, error) {
	if u.CreateHome == nil || !*u.CreateHome {
		return u.CreateHome, nil
	}
	if u.Home != nil {
		home = *u.Home
	}
	st, err := stat(ctx, h, home, false)
	return ptr(st != nil), err
}

// readGroups fills in the groups; with append those only that are asked for.
func (u *User) readGroups(ctx context.Context, h host.Host, want *User, gid string) error {
	all, err := accounts.Read(ctx, h.Files(), accounts.Groups, accounts.Members+1)
	u.Group, u.Groups = &gid, []string{}
	for _, g := range all {
		if g[accounts.ID] == gid && *u.Group == gid && (want.Group == nil || *want.Group != gid) {
			u.Group = &g[0]
		}
		if slices.Contains(accounts.List(g[accounts.Members]), u.Name) && (!want.Append || slices.Contains(want.Groups, g[0])) {
			u.Groups = append(u.Groups, g[0])
		}
	}
	return err
}

// readPassword returns the field of shadow(5).
func readPassword(ctx context.Context, h host.Host, name string) (string, error) {
	all, err := accounts.Read(ctx, h.Files(), accounts.Shadow, 2)
	if e := accounts.Find(all, name); e != nil {
		return e[1], err
	}
	return "", err
}

func applyUser(ctx context.Context, h host.Host, have, want *User, d Diff) error {
	if want == nil {
		return deleteUser(ctx, h, have)
	}
	u := host.User{Name: want.Name, System: want.System}
	if err := want.secret(have, &u); err != nil {
		return err
	}
	if have == nil {
		if err := want.enroll(ctx, h, &u); err != nil {
			return err
		}
		if want.CreateHome == nil && want.System || want.CreateHome != nil && !*want.CreateHome {
			return nil
		}
		return makeHome(ctx, h, want.Name)
	}
	if err := want.alter(ctx, h, &u, d); err != nil {
		return err
	}
	if d.Has("create_home") {
		return makeHome(ctx, h, want.Name)
	}
	return nil
}

// secret puts the field of shadow(5) into u, if it is to change. A lock is the ! before a hash.
func (u *User) secret(have *User, to *host.User) error {
	if u.Password == nil && u.PasswordLock == nil {
		return nil
	}
	bare, lock := "", false
	if have != nil {
		bare = *have.Password
		lock = *have.PasswordLock && bare != "" && bare != "*"
	}
	if u.Password != nil {
		bare = *u.Password
	}
	if u.PasswordLock != nil {
		lock = *u.PasswordLock
	}
	switch {
	case bare == "" && !lock:
		return argf("password_lock", "%s has no password: without a lock everyone could come in; set password, too", u.Name)
	case lock:
		bare = "!" + bare
	}
	to.Password = &bare
	return nil
}

// enroll adds a user that is new, with its group if it has none.
func (u *User) enroll(ctx context.Context, h host.Host, to *host.User) error {
	a, err := readAccountData(ctx, h)
	if err != nil {
		return err
	}
	if err := firstFault(a.known(u.Groups), a.unique("uid", a.users, u.Name, u.UID)); err != nil {
		return err
	}
	to.UID, to.Comment, to.Groups = u.UID, u.Comment, u.Groups
	if to.UID == nil {
		to.UID = ptr(a.free("UID", u.System, u.Group == nil))
	}
	gid := -1
	if u.Group != nil {
		if gid, err = a.gid(*u.Group); err != nil {
			return err
		}
	} else if g := accounts.Find(a.groups, u.Name); g != nil {
		gid = accounts.Number(g, accounts.ID)
	} else {
		if gid = *to.UID; a.taken(a.groups, gid) {
			gid = a.free("GID", u.System, false)
		}
		if err := h.Accounts().AddGroup(ctx, host.Group{Name: u.Name, GID: &gid, System: u.System}); err != nil {
			return err
		}
	}
	to.GID = &gid
	if to.Home = u.Home; to.Home == nil {
		to.Home = ptr(a.setting("HOME", "/home") + "/" + u.Name)
	}
	if to.Shell = u.Shell; to.Shell == nil {
		to.Shell = ptr(a.setting("SHELL", "/bin/sh"))
	}
	return h.Accounts().AddUser(ctx, *to)
}

// alter changes what differs.
func (u *User) alter(ctx context.Context, h host.Host, to *host.User, d Diff) error {
	a, err := readAccountData(ctx, h)
	if err != nil {
		return err
	}
	if err := firstFault(a.known(u.Groups), a.unique("uid", a.users, u.Name, u.UID)); err != nil {
		return err
	}
	if d.Has("uid") {
		to.UID = u.UID
	}
	if d.Has("group") {
		gid, err := a.gid(*u.Group)
		if err != nil {
			return err
		}
		to.GID = &gid
	}
	if d.Has("groups") {
		to.Groups = append([]string{}, u.Groups...)
		for _, g := range a.groups {
			if u.Append && slices.Contains(accounts.List(g[accounts.Members]), u.Name) && !slices.Contains(u.Groups, g[0]) {
				to.Groups = append(to.Groups, g[0])
			}
		}
	}
	for path, s := range map[string]struct{ to, from **string }{"comment": {&to.Comment, &u.Comment}, "home": {&to.Home, &u.Home}, "shell": {&to.Shell, &u.Shell}} {
		if d.Has(path) {
			*s.to = *s.from
		}
	}
	if !d.Has("password") && !d.Has("password_lock") {
		to.Password = nil
	}
	return h.Accounts().SetUser(ctx, *to)
}

// deleteUser removes the home only if it is the user's own.
func deleteUser(ctx context.Context, h host.Host, have *User) error {
	st, err := stat(ctx, h, *have.Home, false)
	if err != nil {
		return err
	}
	if err := h.Accounts().DeleteUser(ctx, have.Name); err != nil {
		return err
	}
	if have.Remove && st != nil && st.Path != "/" && (st.UID == *have.UID || st.Owner == have.Name) {
		return h.Files().Remove(ctx, st.Path, true)
	}
	return nil
}
