// Package accounts reads the user and group databases of a host, and edits them where no tool does: in a host's model, and
// on a machine without useradd(8). It knows files only, through host.Files.
package accounts

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// The files (passwd(5), group(5), shadow(5), gshadow(5)).
const (
	Passwd  = "/etc/passwd"
	Groups  = "/etc/group"
	Shadow  = "/etc/shadow"
	gshadow = "/etc/gshadow"
)

// Where fields are, in passwd and group.
const (
	ID      = 2
	GID     = 3 // passwd
	Members = 3 // group
	Comment = 4
	Home    = 5
	Shell   = 6
)

// MaxFile bounds the size in bytes of a database.
const MaxFile = 16 << 20

// Read returns the fields of each line of a database; none when the file does not exist. Lines that have fewer fields than
// need are left out.
func Read(ctx context.Context, f host.Files, path string, need int) ([][]string, error) {
	b, err := f.Read(ctx, path, MaxFile)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	return Parse(b, need), err
}

// Parse splits the lines of a database that have at least need fields.
func Parse(b []byte, need int) [][]string {
	var out [][]string
	for line := range strings.Lines(string(b)) {
		if fields := strings.Split(strings.TrimRight(line, "\n"), ":"); len(fields) >= need {
			out = append(out, fields)
		}
	}
	return out
}

// Find returns the fields of name; nil when there is none.
func Find(entries [][]string, name string) []string {
	for _, e := range entries {
		if e[0] == name {
			return e
		}
	}
	return nil
}

// User returns the entry of a user; nil when there is none.
func User(ctx context.Context, f host.Files, name string) ([]string, error) {
	all, err := Read(ctx, f, Passwd, Shell+1)
	return Find(all, name), err
}

// List splits the members of a group.
func List(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// Number returns the id in field i; -1 when it is none.
func Number(entry []string, i int) int {
	n, err := strconv.Atoi(entry[i])
	if err != nil {
		return -1
	}
	return n
}
