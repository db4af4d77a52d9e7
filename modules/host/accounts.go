package host

import "context"

// User is an entry of passwd(5), with the groups that it is a member of beside its own. Nil is left alone; of a new user UID,
// GID, Home and Shell are set.
type User struct {
	Name                 string
	UID, GID             *int
	Comment, Home, Shell *string
	Groups               []string // all it is a member of
	Password             *string  // the field of shadow(5): a hash, with ! before it when it is locked
	System               bool     // of a new user: no subordinate ids
}

// Group is an entry of group(5). Nil is left alone; of a new group GID is set.
type Group struct {
	Name    string
	GID     *int
	Members []string
	System  bool
}

// Accounts changes users and groups; the files that they are in (passwd(5), group(5), shadow(5)) are read through Files. Homes
// are not touched.
type Accounts interface {
	AddUser(ctx context.Context, u User) error // ErrExist
	SetUser(ctx context.Context, u User) error // ErrNotExist
	// DeleteUser also takes the user out of all groups, and the group of its name away if it was its own alone (userdel(8)).
	DeleteUser(ctx context.Context, name string) error
	AddGroup(ctx context.Context, g Group) error
	SetGroup(ctx context.Context, g Group) error
	// DeleteGroup refuses with ErrBusy a group that is the own one of a user.
	DeleteGroup(ctx context.Context, name string) error
}
