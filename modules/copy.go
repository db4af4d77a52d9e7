package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Copy]{
		Name: "copy",
		Doc:  "Puts a file in place, with a content given here or that of a file of the controller.",
		Example: `copy "/etc/motd" {
  content = "This machine is part of the lab.\n"
  mode    = "0644"
}
`,
		Validate: (*Copy).validate, Complete: (*Copy).complete, Read: readCopy, Apply: applyCopy,
	})
}

// Copy is a file with its content. The controller replaces src by content (short text) or sha256 and size.
type Copy struct {
	Dest string `json:"dest" lab:"key" doc:"Absolute path of the file. One that ends with / gets the name of src."`
	Src  string `json:"src,omitempty" lab:"option" doc:"File of the controller, relative to the playbook or to its directory files."`
	// The controller alone looks at it.
	Decrypt *bool `json:"decrypt,omitempty" lab:"option" doc:"Whether a src that age, Ansible Vault or sops has encrypted is opened, as it is by default; false: it is sent as it is."`
	content
}

func (c *Copy) validate() error { return c.validateAt(&c.Dest, c.Src, "") }

func (c *Copy) complete() error { return c.content.complete(c.Src) }

func readCopy(ctx context.Context, h host.Host, want *Copy) (*Copy, error) {
	have, err := want.content.read(ctx, h, want.Dest)
	if have == nil || err != nil {
		return nil, err
	}
	return &Copy{Dest: want.Dest, content: *have}, nil
}

func applyCopy(ctx context.Context, h host.Host, have, want *Copy, d Diff) error {
	if want == nil {
		return h.Files().Remove(ctx, have.Dest, false)
	}
	if have == nil {
		return want.write(ctx, h, want.Dest, nil, d)
	}
	return want.write(ctx, h, want.Dest, &have.content, d)
}
