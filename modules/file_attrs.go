package modules

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"syscall"

	"labctl/modules/host"
)

// fileAttrs is embedded by every module that manages a path.
type fileAttrs struct {
	Mode  *string `json:"mode,omitempty" doc:"Permissions in octal, as 0644 or 1777; left alone if unset."`
	Owner *string `json:"owner,omitempty" doc:"User name or number; left alone if unset."`
	Group *string `json:"group,omitempty" doc:"Group name or number; left alone if unset."`
}

// validate brings the mode into the form that read gives it: four octal digits.
func (a *fileAttrs) validate() error {
	if a.Mode != nil {
		m, err := strconv.ParseUint(*a.Mode, 8, 32)
		if err != nil || m > 0o7777 {
			return argf("mode", "%q is not an octal number of up to four digits such as \"0644\"; symbolic modes depend on what is there, so say the whole", *a.Mode)
		}
		*a.Mode = octal(uint32(m))
	}
	for name, v := range map[string]*string{"owner": a.Owner, "group": a.Group} {
		if v != nil && (*v == "" || strings.ContainsAny(*v, ": \t\n")) {
			return argf(name, "%q is not a name or a number", *v)
		}
	}
	return nil
}

// read returns the attributes of st in the words of a: an owner given as a number comes back as a number.
func (a *fileAttrs) read(st host.File) fileAttrs {
	mode := octal(st.Mode)
	return fileAttrs{Mode: &mode, Owner: inWordsOf(a.Owner, st.Owner, st.UID), Group: inWordsOf(a.Group, st.Group, st.GID)}
}

func inWordsOf(want *string, name string, id int) *string {
	if want != nil && *want == strconv.Itoa(id) {
		return want
	}
	return &name
}

// set returns what SetAttrs and Write need to know.
func (a *fileAttrs) set() host.FileAttrs {
	var out host.FileAttrs
	if a.Mode != nil {
		m, _ := strconv.ParseUint(*a.Mode, 8, 32) // validated
		mode := uint32(m)
		out.Mode = &mode
	}
	if a.Owner != nil {
		out.Owner = *a.Owner
	}
	if a.Group != nil {
		out.Group = *a.Group
	}
	return out
}

func octal(mode uint32) string { return fmt.Sprintf("%04o", mode) }

// absolute checks the path of a file in argument name.
func absolute(name, p string) error {
	switch {
	case strings.ContainsRune(p, 0):
		return argf(name, "%q contains a NUL byte", p)
	case strings.HasPrefix(p, "~"):
		return argf(name, "%q is not absolute; ~ is not expanded on the target", p)
	case !path.IsAbs(p):
		return argf(name, "%q is not an absolute path", p)
	}
	return nil
}

// stat returns what is at p, following symbolic links at its end; nil: nothing. A link that leads nowhere is returned as
// itself.
func stat(ctx context.Context, h host.Host, p string, sum bool) (*host.File, error) {
	first, err := lstat(ctx, h, p, sum)
	last := first
	for range 40 { // path_resolution(7)
		if err != nil || last == nil || last.Type != host.SymbolicLink {
			break
		}
		next := last.Target
		if !path.IsAbs(next) {
			next = last.Path[:strings.LastIndexByte(last.Path, '/')+1] + next // not cleaned: .. may follow a link
		}
		last, err = lstat(ctx, h, next, sum)
	}
	if err == nil && last == nil {
		return first, nil
	}
	return last, err
}

// lstat returns what is at p; nil: nothing.
func lstat(ctx context.Context, h host.Host, p string, sum bool) (*host.File, error) {
	st, err := h.Files().Stat(ctx, p, sum)
	switch {
	case errors.Is(err, host.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &st, nil
}

// inMissingDirectory explains why a file could not be made.
func inMissingDirectory(err error) error {
	if errors.Is(err, host.ErrNotExist) {
		return fmt.Errorf("%w: make its directory first, with module file", err)
	}
	return err
}
