package memory

import (
	"context"
	"errors"
	"path"
	"strings"
	"syscall"

	"labctl/modules/host"
)

// maxLinks is how many symbolic links the kernel follows in one path (path_resolution(7)).
const maxLinks = 40

// existing is walk for callers that need something to be there.
func (f hostFiles) existing(ctx context.Context, op, p string, follow bool) (string, *node, error) {
	at, n, err := f.walk(ctx, op, p, follow)
	if err == nil && n == nil {
		err = fail(op, p, syscall.ENOENT)
	}
	return at, n, err
}

// walk resolves p as path_resolution(7) does and returns its canonical path and what is there: nil when only the last
// component does not exist. With follow, a symbolic link at the end is followed, too.
func (f hostFiles) walk(ctx context.Context, op, p string, follow bool) (string, *node, error) {
	if !path.IsAbs(p) {
		return "", nil, fail(op, p, syscall.EINVAL)
	}
	if s := &f.h.files; !s.loaded {
		s.loaded = true
		if f.h.seed != nil {
			s.load(f.h.seed.Files)
		}
	}
	at := "/"
	if _, err := f.lookup(ctx, op, at); err != nil {
		return "", nil, err
	}
	rest, links := split(p), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, name)
		n, err := f.lookup(ctx, op, next)
		if err != nil {
			return "", nil, err
		}
		switch {
		case n == nil && len(rest) > 0:
			return "", nil, fail(op, p, syscall.ENOENT)
		case n == nil:
			return next, nil, nil
		case n.Type == host.SymbolicLink && (len(rest) > 0 || follow):
			if links++; links > maxLinks {
				return "", nil, fail(op, p, syscall.ELOOP)
			}
			rest = append(split(n.Target), rest...)
			if path.IsAbs(n.Target) {
				at = "/"
			}
			continue
		case n.Type != host.Directory && len(rest) > 0:
			return "", nil, fail(op, p, syscall.ENOTDIR)
		}
		at = next
	}
	n, err := f.lookup(ctx, op, at)
	return at, n, err
}

func split(p string) []string {
	return strings.FieldsFunc(strings.ReplaceAll("/"+p+"/", "/./", "/"), func(r rune) bool { return r == '/' })
}

// lookup returns what is at the canonical path at, loading it from the base the first time; nil: nothing.
func (f hostFiles) lookup(ctx context.Context, op, at string) (*node, error) {
	s := &f.h.files
	if n := s.nodes[at]; n != nil {
		if n.gone {
			return nil, nil
		}
		return n, nil
	}
	if s.hidden(at) {
		return nil, nil
	}
	if f.h.base == nil {
		return s.implied(op, at)
	}
	st, err := f.h.base.Files().Stat(ctx, at, false)
	switch {
	case errors.Is(err, host.ErrNotExist):
		s.put(at, &node{gone: true})
		return nil, nil
	case err != nil:
		return nil, err
	}
	n := &node{File: st, origin: at}
	s.put(at, n)
	return n, nil
}

// hidden reports whether a directory above at was made or removed here, so that the base has no say.
func (s *files) hidden(at string) bool {
	for at != "/" {
		at = path.Dir(at)
		if n := s.nodes[at]; n != nil {
			return n.gone || n.opaque || n.Type != host.Directory
		}
	}
	return false
}

// implied says what a snapshot tells of a path that it does not list: a directory when something below is listed.
func (s *files) implied(op, at string) (*node, error) {
	prefix := strings.TrimSuffix(at, "/") + "/"
	if at == "/" {
		return directory(), nil
	}
	for p, n := range s.nodes {
		if strings.HasPrefix(p, prefix) && !n.gone {
			return directory(), nil
		}
	}
	return nil, notRecorded(op, at)
}

func directory() *node {
	return &node{File: host.File{Type: host.Directory, Mode: 0o755, Owner: "root", Group: "root"}}
}
