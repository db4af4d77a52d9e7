package modules

import (
	"context"
	"fmt"

	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

func init() {
	Register(Spec[Group]{
		Name: "group",
		Doc:  "Manages a group of the machine: its entry in /etc/group.",
		Example: `group "lab" {
  gid = 1500
}
`,
		Validate: (*Group).validate, Read: readGroup, Apply: applyGroup,
	})
}

// Group is an entry of group(5).
type Group struct {
	Name    string   `json:"name" lab:"key" doc:"Name."`
	GID     *int     `json:"gid,omitempty" doc:"Number; the next free one if unset. What files have the old one is not changed."`
	Members []string `json:"members,omitempty" lab:"set" doc:"All users that are members, beside those whose own group it is; left alone if unset. They must exist."`
	System  bool     `json:"system,omitempty" lab:"option" doc:"A new group is one of the system: a low number."`
}

func (g *Group) validate() error {
	for i, m := range g.Members {
		if err := validAccount(fmt.Sprintf("members[%d]", i), m); err != nil {
			return err
		}
	}
	return firstFault(validAccount("name", g.Name), inRange("gid", g.GID, 0, 1<<31-1))
}

func readGroup(ctx context.Context, h host.Host, want *Group) (*Group, error) {
	all, err := accounts.Read(ctx, h.Files(), accounts.Groups, accounts.Members+1)
	e := accounts.Find(all, want.Name)
	if e == nil || err != nil {
		return nil, err
	}
	return &Group{Name: want.Name, GID: ptr(accounts.Number(e, accounts.ID)), Members: append([]string{}, accounts.List(e[accounts.Members])...)}, nil
}

func applyGroup(ctx context.Context, h host.Host, have, want *Group, d Diff) error {
	if want == nil {
		return h.Accounts().DeleteGroup(ctx, have.Name)
	}
	a, err := readAccountData(ctx, h)
	if err != nil {
		return err
	}
	for i, m := range want.Members {
		if accounts.Find(a.users, m) == nil {
			return argf(fmt.Sprintf("members[%d]", i), "there is no user %q; module user makes one", m)
		}
	}
	if err := a.unique("gid", a.groups, want.Name, want.GID); err != nil {
		return err
	}
	g := host.Group{Name: want.Name, System: want.System}
	if have == nil || d.Has("members") {
		g.Members = want.Members
	}
	if have == nil || d.Has("gid") {
		g.GID = want.GID
	}
	if have != nil {
		return h.Accounts().SetGroup(ctx, g)
	}
	if g.GID == nil {
		g.GID = ptr(a.free("GID", want.System, false))
	}
	return h.Accounts().AddGroup(ctx, g)
}
