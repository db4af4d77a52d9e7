package modules

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

// accountData is what a new user or group is chosen by.
type accountData struct {
	users, groups [][]string
	settings      map[string]string // of login.defs(5) and useradd(8)
}

func readAccountData(ctx context.Context, h host.Host) (*accountData, error) {
	a := &accountData{settings: map[string]string{}}
	for _, path := range []string{"/etc/login.defs", "/etc/default/useradd"} {
		lines, err := fileLines(ctx, h, path)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if w := strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == '\t' || r == '=' }); len(w) == 2 && w[0][0] != '#' {
				a.settings[w[0]] = w[1]
			}
		}
	}
	var err error
	if a.users, err = accounts.Read(ctx, h.Files(), accounts.Passwd, accounts.Shell+1); err != nil {
		return nil, err
	}
	a.groups, err = accounts.Read(ctx, h.Files(), accounts.Groups, accounts.Members+1)
	return a, err
}

func (a *accountData) setting(name, unset string) string {
	if v := a.settings[name]; v != "" {
		return v
	}
	return unset
}

// number returns a setting that is one, octal with a leading 0.
func (a *accountData) number(name string, unset int) int {
	if n, err := strconv.ParseInt(a.settings[name], 0, 64); err == nil {
		return int(n)
	}
	return unset
}

func (a *accountData) taken(entries [][]string, id int) bool {
	for _, e := range entries {
		if accounts.Number(e, accounts.ID) == id {
			return true
		}
	}
	return false
}

// unique checks that an ID is not that of another user or group.
func (a *accountData) unique(path string, entries [][]string, name string, id *int) error {
	for _, e := range entries {
		if id != nil && accounts.Number(e, accounts.ID) == *id && e[0] != name {
			return argf(path, "%d is the number of %s", *id, e[0])
		}
	}
	return nil
}

// free returns the number for a new user ("UID") or group ("GID") as useradd(8) chooses it: for the system the highest that is
// free, else the one after the highest in use. With both it is free for either.
func (a *accountData) free(what string, system, both bool) int {
	entries := map[string][][]string{"UID": a.users, "GID": a.groups}[what]
	low, high := a.number(what+"_MIN", 1000), a.number(what+"_MAX", 60000)
	used := func(id int) bool { return a.taken(entries, id) || both && a.taken(a.groups, id) }
	if system {
		for id := a.number("SYS_"+what+"_MAX", low-1); id > a.number("SYS_"+what+"_MIN", 101); id-- {
			if !used(id) {
				return id
			}
		}
	}
	next := low
	for _, e := range entries {
		if id := accounts.Number(e, accounts.ID); id >= next && id < high {
			next = id + 1
		}
	}
	for used(next) {
		next++
	}
	return next
}

// gid returns the number of a group given by name or number, which must exist.
func (a *accountData) gid(group string) (int, error) {
	for _, g := range a.groups {
		if g[0] == group || g[accounts.ID] == group {
			return accounts.Number(g, accounts.ID), nil
		}
	}
	return 0, argf("group", "there is no group %q; module group makes one", group)
}

// known checks that the groups that a user shall be a member of exist.
func (a *accountData) known(groups []string) error {
	for i, name := range groups {
		if accounts.Find(a.groups, name) == nil {
			return argf(fmt.Sprintf("groups[%d]", i), "there is no group %q; module group makes one", name)
		}
	}
	return nil
}

// groupName returns the name of a group by its number; the number when it has none.
func (a *accountData) groupName(gid string) string {
	for _, g := range a.groups {
		if g[accounts.ID] == gid {
			return g[0]
		}
	}
	return gid
}

// makeHome makes the home of a user that exists, with a copy of /etc/skel in it, unless something is there.
func makeHome(ctx context.Context, h host.Host, name string) error {
	a, err := readAccountData(ctx, h)
	if err != nil {
		return err
	}
	u := accounts.Find(a.users, name)
	st, err := lstat(ctx, h, u[accounts.Home], false)
	if err != nil || st != nil {
		return err
	}
	m := mode(uint32(a.number("HOME_MODE", 0o777&^a.number("UMASK", 0o022))) & 0o7777)
	m.Owner, m.Group = name, a.groupName(u[accounts.GID])
	if err := h.Files().Mkdir(ctx, u[accounts.Home], m, true); err != nil {
		return err
	}
	if err := copySkeleton(ctx, h, "/etc/skel", u[accounts.Home], m); err != nil {
		return fmt.Errorf("fill home of %s: %w", name, err)
	}
	return relabel(ctx, h, u[accounts.Home])
}

// relabel gives what is new its SELinux labels, where restorecon(8) is installed.
func relabel(ctx context.Context, h host.Host, path string) error {
	if host.Planning(h) {
		return nil
	}
	if st, err := stat(ctx, h, "/sys/fs/selinux/enforce", false); st == nil || err != nil {
		return err
	}
	_, err := h.Commands().Run(ctx, host.Exec{Argv: []string{"restorecon", "-R", path}})
	return err
}

// copySkeleton copies what is in directory from to directory to, with the owner of owner.
func copySkeleton(ctx context.Context, h host.Host, from, to string, owner host.FileAttrs) error {
	st, err := lstat(ctx, h, from, false)
	if st == nil || err != nil || st.Type != host.Directory {
		return err
	}
	names, err := h.Files().List(ctx, from)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyOne(ctx, h, from+"/"+name, to+"/"+name, owner); err != nil {
			return err
		}
	}
	return nil
}

func copyOne(ctx context.Context, h host.Host, from, to string, owner host.FileAttrs) error {
	st, err := lstat(ctx, h, from, false)
	if st == nil || err != nil {
		return err
	}
	owner.Mode = &st.Mode
	switch st.Type {
	case host.Directory:
		if err := h.Files().Mkdir(ctx, to, owner, false); err != nil {
			return err
		}
		return copySkeleton(ctx, h, from, to, owner)
	case host.SymbolicLink:
		owner.Mode = nil
		err = h.Files().Symlink(ctx, to, st.Target)
	case host.RegularFile:
		err = h.Files().Copy(ctx, from, to)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return h.Files().SetAttrs(ctx, to, owner)
}
