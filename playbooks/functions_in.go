package playbooks

import "github.com/zclconf/go-cty/cty/function"

// functionsIn are the functions that read files, with relative names that start at the directory of a role.
func (s *Site) functionsIn(dir string) map[string]function.Function {
	if dir == "" {
		return nil
	}
	there := *s
	there.Dir = dir
	all := there.functions()
	out := map[string]function.Function{}
	for _, name := range []string{"file", "filebase64", "fileexists", "fileset", "filesha256", "templatefile"} {
		out[name] = all[name]
	}
	return out
}
