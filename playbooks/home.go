package playbooks

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"labctl/modules/schema"
)

// homing returns the argument that names the file which a task brings home; nil: it brings none.
func (t *Task) homing() *schema.Attribute {
	b := t.Module.Schema()
	for i := range b.Attributes {
		if b.Attributes[i].Home {
			return &b.Attributes[i]
		}
	}
	return nil
}

// bringsHome completes the name of the file on this machine that a task brings home, and returns it, "" for none. It fills in
// what is there already.
func (e *evaluation) bringsHome(t *Task, b *body) string {
	attr := t.homing()
	if attr == nil {
		return ""
	}
	name, _ := b.params[attr.Name].(string)
	if name == "" {
		return ""
	}
	rng := b.node.argument(attr.Name)
	at := name
	if filepath.IsAbs(name) || strings.HasPrefix(name, "~/") {
		at = e.site.path(name)
	} else {
		at = filepath.Join(filepath.Dir(rng.Filename), name)
	}
	if strings.HasSuffix(name, "/") {
		key, _ := b.params[t.Module.Schema().Key().Name].(string)
		at = filepath.Join(at, e.host.Name, filepath.FromSlash(remoteName(key, attr.Name)))
	}
	b.params[attr.Name] = at
	if t.Module.Schema().Find("have") == nil {
		return at
	}
	switch f, err := hashFile(at); {
	case err == nil:
		b.params["have"] = f.SHA256
	case errors.Is(err, errDirectory):
		e.fault(rng, "Not a file", "%s is a directory. With / at its end, the file gets a name in it.", at)
	case !errors.Is(err, fs.ErrNotExist):
		e.fault(rng, "Cannot read file", "Cannot read %s: %s.", at, err)
	}
	return at
}

// remoteName is what a file is called in the directory of its host: its path there, or what the task is called, with a suffix.
func remoteName(key, suffix string) string {
	if strings.HasPrefix(key, "/") {
		return path.Clean(key)
	}
	return strings.ReplaceAll(key, "/", "_") + "." + suffix
}
