package linux

import (
	"errors"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// failed types an error of the kernel where it enters: what callers branch on, the errno and the kernel's own words.
func failed(op, object string, err error) error {
	if err == nil {
		return nil
	}
	e := &host.Error{Op: op, Object: object, Err: err, Kind: kind(err)}
	var refused *rtnl.Error
	if errors.As(err, &refused) {
		e.Err, e.Ack = refused.Errno, refused.Text
	}
	return e
}

// kind maps an errno to the sentinel it means. An error that has been typed already keeps its kind.
func kind(err error) error {
	var typed *host.Error
	if errors.As(err, &typed) {
		return typed.Kind
	}
	for _, k := range []struct {
		sentinel error
		errnos   []unix.Errno
	}{
		{host.ErrNotExist, []unix.Errno{unix.ENODEV, unix.ENOENT, unix.ESRCH, unix.EADDRNOTAVAIL, unix.ENXIO}},
		{host.ErrExist, []unix.Errno{unix.EEXIST}},
		{host.ErrBusy, []unix.Errno{unix.EBUSY}},
		{host.ErrPermission, []unix.Errno{unix.EPERM, unix.EACCES}},
		{host.ErrUnsupported, []unix.Errno{unix.EOPNOTSUPP, unix.EAFNOSUPPORT}},
		{host.ErrUnreachable, []unix.Errno{unix.ENETUNREACH, unix.EHOSTUNREACH}},
	} {
		for _, errno := range k.errnos {
			if errors.Is(err, errno) {
				return k.sentinel
			}
		}
	}
	return nil
}
