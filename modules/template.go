package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Template]{
		Name: "template",
		Doc:  "Puts a file in place that the controller renders from an HCL template.",
		Example: `template "/etc/hosts.lab" {
  src  = "hosts.tpl"
  vars = { domain = "example.com" }
}
`,
		Validate: (*Template).validate, Complete: (*Template).complete, Read: readTemplate, Apply: applyTemplate,
	})
}

// Template is a file with the content that the controller has rendered.
type Template struct {
	Dest string         `json:"dest" lab:"key" doc:"Absolute path of the file. One that ends with / gets the name of src, without .tpl."`
	Src  string         `json:"src,omitempty" lab:"option" doc:"Template of the controller, relative to the playbook or to its directory templates. What a task may refer to, it may, too."`
	Vars map[string]any `json:"vars,omitempty" lab:"option" doc:"More names for the template."`
	content
}

func (t *Template) validate() error { return t.validateAt(&t.Dest, t.Src, ".tpl") }

func (t *Template) complete() error { return t.content.complete(t.Src) }

func readTemplate(ctx context.Context, h host.Host, want *Template) (*Template, error) {
	have, err := want.content.read(ctx, h, want.Dest)
	if have == nil || err != nil {
		return nil, err
	}
	return &Template{Dest: want.Dest, content: *have}, nil
}

func applyTemplate(ctx context.Context, h host.Host, have, want *Template, d Diff) error {
	if want == nil {
		return h.Files().Remove(ctx, have.Dest, false)
	}
	if have == nil {
		return want.write(ctx, h, want.Dest, nil, d)
	}
	return want.write(ctx, h, want.Dest, &have.content, d)
}
