package host

import (
	"context"
	"io"
)

// The types of a File. Other stands for devices, sockets and pipes; Absent occurs in snapshots only: the path was asked
// for, and there was nothing.
const (
	RegularFile  = "file"
	Directory    = "directory"
	SymbolicLink = "link"
	Other        = "other"
	Absent       = "absent"
)

// File is what lstat(2) and the content tell of a path.
type File struct {
	Path   string `json:"path"`
	Type   string `json:"type"`  // file, directory, link, other
	Mode   uint32 `json:"mode"`  // permission bits, setuid, setgid and sticky as in chmod(1): 0o7777
	Owner  string `json:"owner"` // name, or the number when it has none
	Group  string `json:"group"`
	UID    int    `json:"uid"` // -1: not known (a plan that has set Owner by name)
	GID    int    `json:"gid"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // hex, of a regular file, filled when asked for
	Target string `json:"target,omitempty"` // of a symbolic link
}

// FileAttrs are the attributes to set; nil and "" are left alone. Owner and Group are names or numbers.
type FileAttrs struct {
	Mode         *uint32
	Owner, Group string
}

// Content is the content of a regular file: inline, or by hash when it travels separately.
type Content struct {
	Inline []byte
	SHA256 string // hex; the host fetches it from where the runner put it when Inline is nil
	Size   int64
}

// Files reads and changes the file system. Paths are absolute. Apart from Write, Read and Copy, which follow symbolic links,
// the last component of a path is never followed. Errors name the path and match ErrNotExist,
// ErrExist and ErrPermission; the cause is a syscall.Errno (ENOTDIR, ENOTEMPTY, EISDIR, ENOSPC, EROFS, ELOOP).
type Files interface {
	// Stat describes path; with sum also the SHA256 of a regular file. ErrNotExist.
	Stat(ctx context.Context, path string, sum bool) (File, error)
	// Read returns the content of a regular file, and an error when it has more than max bytes.
	Read(ctx context.Context, path string, max int64) ([]byte, error)
	// CopyTo writes the content of a regular file to w.
	CopyTo(ctx context.Context, path string, w io.Writer) error
	// List returns the sorted names in a directory.
	List(ctx context.Context, path string) ([]string, error)
	// Write puts a regular file in place atomically: temporary name in the same directory, fsync, rename. Mode and owner are
	// those of a where set, of the file that was there otherwise (new: 0644, the agent's user); extended attributes are kept.
	// It writes through a symlink, also to a target that does not exist yet. The directory must exist.
	Write(ctx context.Context, path string, c Content, a FileAttrs) error
	// Copy makes to a copy of the regular file from, with its attributes, atomically.
	Copy(ctx context.Context, from, to string) error
	// Mkdir makes a directory (0755 where a does not say), with parents also those above it. ErrExist when path is there.
	Mkdir(ctx context.Context, path string, a FileAttrs, parents bool) error
	// Symlink makes path a symbolic link to target; a link that is there is replaced atomically, anything else is ErrExist.
	Symlink(ctx context.Context, path, target string) error
	// SetAttrs sets what a sets. A symbolic link has an owner but no mode.
	SetAttrs(ctx context.Context, path string, a FileAttrs) error
	// Remove deletes path. A directory that is not empty needs recursive. ErrNotExist.
	Remove(ctx context.Context, path string, recursive bool) error
	// Open returns the bytes of c, verified against its SHA256 at the end.
	Open(ctx context.Context, c Content) (io.ReadCloser, error)
}

// Exec describes a process to run.
type Exec struct {
	Argv  []string
	Dir   string
	Env   []string // KEY=value, added to the agent's
	Stdin []byte
	NetNS string // as Host.Net
}

// ExecResult is what came of it. Output is cut at 1 MiB each, with a note.
type ExecResult struct {
	Stdout, Stderr []byte
	Status         int // exit status; 128+n when signal n ended it
}

// Commands runs processes. Cancelling ctx ends the process and its group. A command that cannot be started is an error
// (ErrNotExist, ErrPermission), one that exits with a status other than 0 is not.
type Commands interface {
	Run(ctx context.Context, e Exec) (ExecResult, error)
	// Check is Run for what only looks, such as a validator of a file's syntax: on a model it runs on the host itself.
	Check(ctx context.Context, e Exec) (ExecResult, error)
}
