package host

import (
	"context"
	"io"
)

// File is what lstat(2) and the content tell of a path.
type File struct {
	Path   string `json:"path"`
	Type   string `json:"type"` // file, directory, link, other
	Mode   uint32 `json:"mode"` // permission bits, setuid, setgid and sticky as in chmod(1): 0o7777
	Owner  string `json:"owner"`
	Group  string `json:"group"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // of a regular file, filled when asked for
	Target string `json:"target,omitempty"` // of a symbolic link
}

// Content is the content of a regular file: inline, or by hash when it travels separately.
type Content struct {
	Inline []byte
	SHA256 string // hex; the host fetches it from where the runner put it when Inline is nil
	Size   int64
}

// Files reads and changes the file system.
type Files interface {
	Stat(ctx context.Context, path string, sum bool) (File, error) // ErrNotExist; sum: also SHA256
	Read(ctx context.Context, path string, max int64) ([]byte, error)
	// Write puts a regular file in place atomically: temporary name in the same directory, fsync, rename. Mode and owner are
	// those of f where set, of the file that was there otherwise (new: 0644, the agent's user). It writes through a symlink.
	Write(ctx context.Context, f File, c Content) error
	Mkdir(ctx context.Context, f File, parents bool) error
	Symlink(ctx context.Context, path, target string) error
	SetAttrs(ctx context.Context, f File) error // mode, owner, group where set
	Remove(ctx context.Context, path string, recursive bool) error
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

// Commands runs processes. Cancelling ctx ends the process and its group.
type Commands interface {
	Run(ctx context.Context, e Exec) (ExecResult, error)
}
