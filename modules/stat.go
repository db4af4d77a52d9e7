package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Stat]{
		Name: "stat",
		Doc:  "Looks at a path, for register: whether there is anything, and what. In a plan it sees what the tasks before would have made, but for what commands would do. It never fails for what it sees: wait_for and assert do.",
		Example: `stat "/etc/iptables/rules.v4" { register = "rules" }
command "netfilter-persistent reload" { when = result.rules.exists }
`,
		Validate: func(s *Stat) error { return absolute("path", s.Path) }, Probe: probeStat, Modelled: true,
	})
}

// Stat is what there is at a path.
type Stat struct {
	Path     string `json:"path" lab:"key" doc:"Absolute path."`
	Follow   *bool  `json:"follow,omitempty" lab:"option" default:"false" doc:"Whether what a symbolic link leads to is looked at in its place; it is absent if there is nothing."`
	Checksum *bool  `json:"checksum,omitempty" lab:"option" default:"false" doc:"Whether to compute sha256."`
	Exists   *bool  `json:"exists,omitempty" lab:"computed" doc:"Whether there is anything."`
	Type     string `json:"type,omitempty" lab:"computed" doc:"file, directory, link, or other."`
	Mode     string `json:"mode,omitempty" lab:"computed" doc:"Permissions, as 0644."`
	Owner    string `json:"owner,omitempty" lab:"computed" doc:"User name, or number where it has none."`
	Group    string `json:"group,omitempty" lab:"computed" doc:"Group name, or number where it has none."`
	Size     *int64 `json:"size,omitempty" lab:"computed" doc:"Bytes of a file."`
	SHA256   string `json:"sha256,omitempty" lab:"computed" doc:"SHA-256 of a file in hex, if asked for."`
	Target   string `json:"target,omitempty" lab:"computed" doc:"Where a symbolic link points to."`
}

func probeStat(ctx context.Context, h host.Host, want *Stat) (*Stat, error) {
	look := lstat
	if is(want.Follow) {
		look = stat
	}
	st, err := look(ctx, h, want.Path, is(want.Checksum))
	if err != nil {
		return want, err
	}
	out := *want
	if st == nil || is(want.Follow) && st.Type == host.SymbolicLink {
		out.Exists = ptr(false)
		return &out, nil
	}
	out.Exists, out.Type, out.Mode, out.Owner, out.Group, out.Target, out.SHA256 = ptr(true), st.Type, octal(st.Mode), st.Owner, st.Group, st.Target, st.SHA256
	if st.Type == host.RegularFile {
		out.Size = &st.Size
	}
	return &out, nil
}
