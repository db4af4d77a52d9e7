package memory

import (
	"context"
	"strconv"

	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

// set sets attributes of a node.
func (f hostFiles) set(ctx context.Context, n *node, a host.FileAttrs) {
	if a.Mode != nil {
		n.Mode = *a.Mode & 0o7777
	}
	if a.Owner != "" {
		n.Owner, n.UID = f.resolve(ctx, accounts.Passwd, a.Owner)
	}
	if a.Group != "" {
		n.Group, n.GID = f.resolve(ctx, accounts.Groups, a.Group)
	}
}

// resolve returns name and number of an owner given as either: -1 for a name that only a directory service or a command that
// a plan does not run knows.
func (f hostFiles) resolve(ctx context.Context, database, owner string) (string, int) {
	if owner == "0" || owner == "root" {
		return "root", 0
	}
	for _, e := range f.database(ctx, database) {
		if e[0] == owner || e[accounts.ID] == owner {
			return e[0], accounts.Number(e, accounts.ID)
		}
	}
	if id, err := strconv.Atoi(owner); err == nil {
		return owner, id
	}
	return owner, -1
}

// database reads the users or groups; those that are not known are none.
func (f hostFiles) database(ctx context.Context, path string) [][]string {
	b, err := f.readLocked(ctx, path, accounts.MaxFile)
	if err != nil {
		return nil
	}
	return accounts.Parse(b, accounts.ID+1)
}

// rename gives a file the names that its owners have now, where users or groups have been changed here.
func (f hostFiles) rename(ctx context.Context, st *host.File) {
	for _, o := range []struct {
		database string
		name     *string
		id       int
	}{{accounts.Passwd, &st.Owner, st.UID}, {accounts.Groups, &st.Group, st.GID}} {
		if n := f.h.files.nodes[o.database]; n != nil && n.content != nil && o.id > 0 {
			*o.name, _ = f.resolve(ctx, o.database, strconv.Itoa(o.id))
		}
	}
}
