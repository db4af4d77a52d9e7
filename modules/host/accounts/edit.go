package accounts

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"labctl/modules/host"
)

// Editor is host.Accounts by editing the files.
type Editor struct {
	Files host.Files
	Lock  func(ctx context.Context, fn func() error) error // nil: nobody else writes
}

var _ host.Accounts = Editor{}

// edit passes the lines of a database, as fields, through fn and puts back what has changed. A file that does not exist stays
// so.
func (e Editor) edit(ctx context.Context, path string, fn func([][]string) [][]string) error {
	if _, err := e.Files.Stat(ctx, path, false); err != nil && path != Passwd && path != Groups {
		return nil // no shadow passwords here, or not recorded
	}
	if e.Lock == nil {
		return e.editLocked(ctx, path, fn)
	}
	return e.Lock(ctx, func() error { return e.editLocked(ctx, path, fn) })
}

func (e Editor) editLocked(ctx context.Context, path string, fn func([][]string) [][]string) error {
	b, err := e.Files.Read(ctx, path, MaxFile)
	if err != nil {
		return err
	}
	var out strings.Builder
	for _, fields := range fn(Parse(b, 1)) {
		out.WriteString(strings.Join(fields, ":") + "\n")
	}
	if out.String() == string(b) {
		return nil
	}
	c := host.Content{Inline: []byte(out.String()), Size: int64(out.Len())}
	return e.Files.Write(ctx, path, c, host.FileAttrs{})
}

// change passes the entry called name through fn.
func (e Editor) change(ctx context.Context, path, name string, fn func(fields []string)) error {
	return e.edit(ctx, path, func(all [][]string) [][]string {
		if f := Find(all, name); len(f) > 3 {
			fn(f)
		}
		return all
	})
}

func (e Editor) add(ctx context.Context, path string, fields ...string) error {
	return e.edit(ctx, path, func(all [][]string) [][]string { return append(all, fields) })
}

func (e Editor) remove(ctx context.Context, path, name string) error {
	return e.edit(ctx, path, func(all [][]string) [][]string {
		return slices.DeleteFunc(all, func(f []string) bool { return f[0] == name })
	})
}

// must checks that name is in the database, or that it is not.
func (e Editor) must(ctx context.Context, op, path, name string, there bool) error {
	all, err := Read(ctx, e.Files, path, ID+1)
	switch {
	case err != nil:
		return err
	case there && Find(all, name) == nil:
		return &host.Error{Op: op, Object: name, Kind: host.ErrNotExist}
	case !there && Find(all, name) != nil:
		return &host.Error{Op: op, Object: name, Kind: host.ErrExist}
	}
	return nil
}

// AddUser appends the user to all databases.
func (e Editor) AddUser(ctx context.Context, u host.User) error {
	if err := e.must(ctx, "add user", Passwd, u.Name, false); err != nil {
		return err
	}
	if err := e.add(ctx, Passwd, u.Name, "x", strconv.Itoa(*u.UID), strconv.Itoa(*u.GID), "", *u.Home, *u.Shell); err != nil {
		return err
	}
	if err := e.add(ctx, Shadow, u.Name, "!", "", "0", "99999", "7", "", "", ""); err != nil {
		return err
	}
	return e.SetUser(ctx, u)
}

// SetUser changes what u sets.
func (e Editor) SetUser(ctx context.Context, u host.User) error {
	before, err := User(ctx, e.Files, u.Name)
	if err != nil {
		return err
	}
	if before == nil {
		return &host.Error{Op: "change user", Object: u.Name, Kind: host.ErrNotExist}
	}
	before = slices.Clone(before)
	err = e.change(ctx, Passwd, u.Name, func(f []string) {
		for i, n := range map[int]*int{ID: u.UID, GID: u.GID} {
			if n != nil {
				f[i] = strconv.Itoa(*n)
			}
		}
		for i, s := range map[int]*string{Comment: u.Comment, Home: u.Home, Shell: u.Shell} {
			if s != nil && i < len(f) {
				f[i] = *s
			}
		}
	})
	if err == nil && u.Password != nil {
		err = e.change(ctx, Shadow, u.Name, func(f []string) { f[1] = *u.Password })
	}
	if err == nil && u.Groups != nil {
		err = e.membership(ctx, u.Name, u.Groups)
	}
	if err != nil {
		return err
	}
	after, err := User(ctx, e.Files, u.Name)
	if err != nil || after[ID] == before[ID] && after[GID] == before[GID] {
		return err
	}
	st, err := e.Files.Stat(ctx, after[Home], false)
	if uid := strconv.Itoa(st.UID); err != nil || uid != before[ID] && uid != after[ID] {
		return nil // no home, or another user's
	}
	return e.handOver(ctx, after[Home], before, after)
}

// membership makes name a member of groups and of no others.
func (e Editor) membership(ctx context.Context, name string, groups []string) error {
	for _, path := range []string{Groups, gshadow} {
		err := e.edit(ctx, path, func(all [][]string) [][]string {
			for _, g := range all {
				if len(g) <= Members {
					continue
				}
				members := List(g[Members])
				in := slices.Contains(members, name)
				switch want := slices.Contains(groups, g[0]); {
				case want && !in:
					members = append(members, name)
				case !want && in:
					members = slices.DeleteFunc(members, func(m string) bool { return m == name })
				}
				g[Members] = strings.Join(members, ",")
			}
			return all
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteUser removes the user from all databases.
func (e Editor) DeleteUser(ctx context.Context, name string) error {
	all, err := Read(ctx, e.Files, Passwd, Shell+1)
	if err != nil {
		return err
	}
	user := Find(all, name)
	if user == nil {
		return &host.Error{Op: "delete user", Object: name, Kind: host.ErrNotExist}
	}
	if err := e.membership(ctx, name, nil); err != nil {
		return err
	}
	for _, path := range []string{Passwd, Shadow} {
		if err := e.remove(ctx, path, name); err != nil {
			return err
		}
	}
	groups, err := Read(ctx, e.Files, Groups, Members+1)
	g := Find(groups, name)
	if err != nil || g == nil || g[ID] != user[GID] || g[Members] != "" || owned(all, g[ID], name) {
		return err
	}
	return e.DeleteGroup(ctx, name)
}

// owned reports whether another user than except has the group as its own.
func owned(users [][]string, gid, except string) bool {
	return slices.ContainsFunc(users, func(u []string) bool { return u[GID] == gid && u[0] != except })
}

// AddGroup appends the group.
func (e Editor) AddGroup(ctx context.Context, g host.Group) error {
	if err := e.must(ctx, "add group", Groups, g.Name, false); err != nil {
		return err
	}
	if err := e.add(ctx, Groups, g.Name, "x", strconv.Itoa(*g.GID), ""); err != nil {
		return err
	}
	if err := e.add(ctx, gshadow, g.Name, "!", "", ""); err != nil {
		return err
	}
	return e.SetGroup(ctx, g)
}

// SetGroup changes what g sets.
func (e Editor) SetGroup(ctx context.Context, g host.Group) error {
	if err := e.must(ctx, "change group", Groups, g.Name, true); err != nil {
		return err
	}
	for _, path := range []string{Groups, gshadow} {
		err := e.change(ctx, path, g.Name, func(f []string) {
			if g.GID != nil && path == Groups {
				f[ID] = strconv.Itoa(*g.GID)
			}
			if g.Members != nil {
				f[Members] = strings.Join(g.Members, ",")
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteGroup removes the group.
func (e Editor) DeleteGroup(ctx context.Context, name string) error {
	if err := e.must(ctx, "delete group", Groups, name, true); err != nil {
		return err
	}
	users, err := Read(ctx, e.Files, Passwd, Shell+1)
	if err != nil {
		return err
	}
	groups, err := Read(ctx, e.Files, Groups, ID+1)
	if err != nil {
		return err
	}
	if owned(users, Find(groups, name)[ID], "") {
		return &host.Error{Op: "delete group", Object: name, Kind: host.ErrBusy, Err: syscall.EBUSY}
	}
	for _, path := range []string{Groups, gshadow} {
		if err := e.remove(ctx, path, name); err != nil {
			return err
		}
	}
	return nil
}
