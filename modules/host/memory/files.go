package memory

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"labctl/modules/digest"
	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

// files is what is known of the file system: what has been looked at in the base, and what has been written over it.
type files struct {
	mu     sync.Mutex
	nodes  map[string]*node // by canonical path: no symbolic link on the way
	loaded bool             // the snapshot, if any, is in nodes
}

// node is one path. Its File.Path is not used.
type node struct {
	host.File
	gone    bool          // nothing is here, whatever the base has
	opaque  bool          // a directory made here: the base has nothing to say about what is in it
	content *host.Content // of a regular file; nil: that of the base at origin
	origin  string
}

// hostFiles is host.Files over the overlay.
type hostFiles struct{ h *Host }

var _ host.Files = hostFiles{}

// Files returns the files of the base with what has been changed here. Owners set by name are taken on trust: the user may
// be created by a command that a plan does not run.
func (h *Host) Files() host.Files { return hostFiles{h} }

func (f hostFiles) Stat(ctx context.Context, p string, sum bool) (host.File, error) {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	at, n, err := f.existing(ctx, "stat", p, false)
	if err != nil {
		return host.File{}, err
	}
	if sum && n.Type == host.RegularFile && n.SHA256 == "" {
		if err := f.sum(ctx, at, n); err != nil {
			return host.File{}, err
		}
	}
	out := n.File
	out.Path = p
	f.rename(ctx, &out)
	if !sum {
		out.SHA256 = ""
	}
	return out, nil
}

func (f hostFiles) sum(ctx context.Context, at string, n *node) error {
	if n.content != nil {
		n.SHA256 = n.content.SHA256
		return nil
	}
	s, err := f.h.base.Files().Stat(ctx, n.origin, true)
	if err != nil {
		return err
	}
	n.SHA256 = s.SHA256
	return nil
}

func (f hostFiles) List(ctx context.Context, p string) ([]string, error) {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	at, n, err := f.existing(ctx, "list", p, false)
	if err != nil {
		return nil, err
	}
	if n.Type != host.Directory {
		return nil, fail("list", p, syscall.ENOTDIR)
	}
	return f.list(ctx, at, n)
}

func (f hostFiles) list(ctx context.Context, at string, n *node) ([]string, error) {
	names := map[string]bool{}
	if !n.opaque {
		if f.h.base == nil {
			return nil, notRecorded("list", at)
		}
		base, err := f.h.base.Files().List(ctx, at)
		if err != nil {
			return nil, err
		}
		for _, name := range base {
			names[name] = true
		}
	}
	for p, n := range f.h.files.nodes {
		if p != "/" && path.Dir(p) == at {
			names[path.Base(p)] = !n.gone
		}
	}
	maps.DeleteFunc(names, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(names)), nil
}

func (f hostFiles) Mkdir(ctx context.Context, p string, a host.FileAttrs, parents bool) error {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	if parents {
		if err := f.mkdirAbove(ctx, p); err != nil {
			return err
		}
	}
	at, n, err := f.walk(ctx, "mkdir", p, false)
	if err != nil {
		return err
	}
	if n != nil {
		return fail("mkdir", p, syscall.EEXIST)
	}
	f.add(ctx, at, &node{File: host.File{Type: host.Directory, Mode: 0o755}, opaque: true}, a)
	return nil
}

func (f hostFiles) mkdirAbove(ctx context.Context, p string) error {
	dir := path.Dir(path.Clean(p))
	if dir == "/" || dir == "." {
		return nil
	}
	if err := f.mkdirAbove(ctx, dir); err != nil {
		return err
	}
	at, n, err := f.walk(ctx, "mkdir", dir, true)
	if err != nil {
		return err
	}
	if n == nil {
		f.add(ctx, at, &node{File: host.File{Type: host.Directory, Mode: 0o755}, opaque: true}, host.FileAttrs{})
	}
	return nil
}

func (f hostFiles) Symlink(ctx context.Context, p, target string) error {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	at, n, err := f.walk(ctx, "symlink", p, false)
	if err != nil {
		return err
	}
	if n != nil && n.Type != host.SymbolicLink {
		return fail("symlink", p, syscall.EEXIST)
	}
	f.add(ctx, at, &node{File: host.File{Type: host.SymbolicLink, Mode: 0o777, Target: target, Size: int64(len(target))}}, host.FileAttrs{})
	return nil
}

func (f hostFiles) SetAttrs(ctx context.Context, p string, a host.FileAttrs) error {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	_, n, err := f.existing(ctx, "set attributes of", p, false)
	if err != nil {
		return err
	}
	if n.Type == host.SymbolicLink && a.Mode != nil {
		return &host.Error{Op: "set mode of", Object: p, Kind: host.ErrUnsupported, Err: syscall.EOPNOTSUPP}
	}
	f.set(ctx, n, a)
	f.h.wrote()
	return nil
}

func (f hostFiles) Remove(ctx context.Context, p string, recursive bool) error {
	f.h.files.mu.Lock()
	defer f.h.files.mu.Unlock()
	at, n, err := f.existing(ctx, "remove", p, false)
	if err != nil {
		return err
	}
	if at == "/" {
		return fail("remove", p, syscall.EBUSY)
	}
	if n.Type == host.Directory && !recursive {
		names, err := f.list(ctx, at, n)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fail("remove", p, syscall.ENOTEMPTY)
		}
	}
	maps.DeleteFunc(f.h.files.nodes, func(q string, _ *node) bool { return strings.HasPrefix(q, at+"/") })
	f.h.files.nodes[at] = &node{gone: true}
	f.h.wrote()
	return nil
}

// add puts a new node in place, owned as a file that the agent makes.
func (f hostFiles) add(ctx context.Context, at string, n *node, a host.FileAttrs) {
	n.UID, n.GID = -1, -1
	if facts, err := f.h.Facts(ctx); err == nil && facts.User != "" {
		n.Owner, n.UID = f.resolve(ctx, accounts.Passwd, facts.User)
	}
	if n.Owner == "root" {
		n.Group, n.GID = "root", 0
	}
	f.set(ctx, n, a)
	f.h.files.put(at, n)
	f.h.wrote()
}

func (s *files) put(at string, n *node) {
	if s.nodes == nil {
		s.nodes = map[string]*node{}
	}
	s.nodes[at] = n
}

func hash(b []byte) string {
	s := digest.Sum256(b)
	return hex.EncodeToString(s[:])
}

// fail is the kernel's refusal of a file operation.
func fail(op, p string, errno syscall.Errno) error {
	return &host.Error{Op: op, Object: p, Kind: kind(errno), Err: errno}
}

func kind(errno syscall.Errno) error {
	switch errno {
	case syscall.ENOENT:
		return host.ErrNotExist
	case syscall.EEXIST:
		return host.ErrExist
	case syscall.EBUSY:
		return host.ErrBusy
	}
	return nil
}

var errNotRecorded = errors.New("not recorded in the snapshot: take it again with labctl facts HOST --file PATH")

func notRecorded(op, p string) error { return &host.Error{Op: op, Object: p, Err: errNotRecorded} }
