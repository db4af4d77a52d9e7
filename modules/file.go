package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"labctl/modules/host"
)

func init() {
	Register(Spec[File]{
		Name: "file",
		Doc:  "Manages a file's existence, type, permissions and owner, but not its content.",
		Example: `file "/etc/lab/" {
  mode = "0750"
}
file "/etc/lab/current" {
  type   = "link"
  target = "/etc/hosts"
}
file "/etc/lab/old" {
  ensure    = "absent"
  recursive = true
}
`,
		Validate: (*File).validate, Complete: (*File).complete, Read: readFile, Apply: applyFile,
	})
}

// File is a path of the file system.
type File struct {
	Path   string `json:"path" lab:"key" doc:"Absolute path. One that ends with / is a directory."`
	Type   string `json:"type,omitempty" lab:"immutable" enum:"file,directory,link" doc:"What is there. A file is created empty, a directory with those above it. Unset: whatever is there, which must exist."`
	Target string `json:"target,omitempty" doc:"Where a link points to, as written into it."`
	fileAttrs
	Force     bool `json:"force,omitempty" lab:"option" doc:"Replace what is there when it is of another type."`
	Recursive bool `json:"recursive,omitempty" lab:"option" doc:"When removing a directory, remove all that is in it."`
}

func (f *File) validate() error {
	if err := absolute("path", f.Path); err != nil {
		return err
	}
	if trimmed := strings.TrimRight(f.Path, "/"); trimmed != f.Path {
		if f.Type != "" && f.Type != host.Directory {
			return argf("type", "%s cannot be a %s: its path ends with /", f.Path, f.Type)
		}
		f.Path, f.Type = trimmed, host.Directory
	}
	if f.Path == "" {
		return argf("path", "/ is not managed")
	}
	if f.Target != "" && f.Type == "" {
		f.Type = host.SymbolicLink
	}
	switch {
	case f.Type == host.SymbolicLink && f.Mode != nil:
		return argf("mode", "a link has no permissions of its own")
	case f.Type != host.SymbolicLink && f.Target != "":
		return argf("target", "a %s has no target", f.Type)
	}
	return f.fileAttrs.validate()
}

func (f *File) complete() error {
	if f.Type == host.SymbolicLink && f.Target == "" {
		return argf("target", "a link needs a target")
	}
	return nil
}

// readFile follows a symbolic link unless the link itself is what is managed.
func readFile(ctx context.Context, h host.Host, want *File) (*File, error) {
	read := stat
	if want.Type == host.SymbolicLink {
		read = lstat
	}
	st, err := read(ctx, h, want.Path, false)
	if st == nil || err != nil {
		return nil, err
	}
	if want.Type != "" && st.Type != want.Type && !want.Force {
		return nil, fmt.Errorf("%s is a %s, not a %s: set force = true to have it replaced", want.Path, st.Type, want.Type)
	}
	return &File{Path: want.Path, Type: st.Type, Target: st.Target, fileAttrs: want.read(*st), Force: want.Force, Recursive: want.Recursive}, nil
}

func applyFile(ctx context.Context, h host.Host, have, want *File, d Diff) error {
	switch {
	case want == nil:
		return removePath(ctx, h, have.Path, have.Recursive)
	case have == nil:
		return createFile(ctx, h, want)
	case d.Has("target"):
		if err := h.Files().Symlink(ctx, want.Path, want.Target); err != nil {
			return err
		}
	}
	return setAttrs(ctx, h, want)
}

// removePath removes the path itself, never what a symbolic link there points to.
func removePath(ctx context.Context, h host.Host, p string, recursive bool) error {
	err := h.Files().Remove(ctx, p, recursive)
	if errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("%w: set recursive = true to remove all that is in it", err)
	}
	return err
}

func createFile(ctx context.Context, h host.Host, want *File) error {
	f := h.Files()
	switch want.Type {
	case host.Directory:
		return f.Mkdir(ctx, want.Path, want.set(), true)
	case host.SymbolicLink:
		if err := f.Symlink(ctx, want.Path, want.Target); err != nil {
			return inMissingDirectory(err)
		}
		return setAttrs(ctx, h, want)
	case host.RegularFile:
		return inMissingDirectory(f.Write(ctx, want.Path, host.Content{}, want.set()))
	}
	return argf("type", "%s does not exist: say which type it shall have: file, directory or link", want.Path)
}

// setAttrs sets mode and owner of what is managed: the link, or what it leads to.
func setAttrs(ctx context.Context, h host.Host, want *File) error {
	a := want.set()
	if a == (host.FileAttrs{}) {
		return nil
	}
	p := want.Path
	if want.Type != host.SymbolicLink {
		st, err := stat(ctx, h, p, false)
		if err != nil || st == nil {
			return err
		}
		p = st.Path
	}
	return h.Files().SetAttrs(ctx, p, a)
}
