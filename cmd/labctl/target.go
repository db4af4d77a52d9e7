package main

import (
	"github.com/hashicorp/hcl/v2"

	"labctl/playbooks"
	"labctl/runner"
)

// address finds what -target and -replace name.
func (f *runFlags) address(s *playbooks.Site, mode runner.Mode, targets, replace **playbooks.Targets) (diags hcl.Diagnostics) {
	env := playbooks.Env{Tags: f.tags, SkipTags: f.skipTags}
	*targets, diags = s.Targets("-target", f.target, f.limit, env)
	var more hcl.Diagnostics
	*replace, more = s.Targets("-replace", f.replace, f.limit, env)
	diags = append(append(diags, more...), (*replace).Replaceable()...)
	if len(f.target) > 0 && !diags.HasErrors() {
		diags = append(diags, playbooks.Incomplete(mode != runner.Play))
	}
	return diags
}
