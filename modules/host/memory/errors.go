package memory

import (
	"errors"
	"fmt"

	"labctl/modules/host"
)

// The causes of refusals, in the words of Linux: the same fault reads the same in a plan and in a play. (Those of package
// syscall are of the machine that this runs on.)
var (
	errInvalid     = errors.New("invalid argument")                         // EINVAL
	errNoDevice    = errors.New("no such device")                           // ENODEV
	errNoFile      = errors.New("no such file or directory")                // ENOENT
	errExist       = errors.New("file exists")                              // EEXIST
	errBusy        = errors.New("device or resource busy")                  // EBUSY
	errDenied      = errors.New("permission denied")                        // EACCES
	errNotAllowed  = errors.New("operation not permitted")                  // EPERM
	errUnsupported = errors.New("operation not supported")                  // EOPNOTSUPP
	errFamily      = errors.New("address family not supported by protocol") // EAFNOSUPPORT
	errLoop        = errors.New("too many levels of symbolic links")        // ELOOP
	errDown        = errors.New("network is down")                          // ENETDOWN
	errNetwork     = errors.New("network is unreachable")                   // ENETUNREACH
	errNoRoute     = errors.New("no route to host")                         // EHOSTUNREACH
)

// refused is an error of the kernel: what callers branch on follows from the cause. Ack is the text that it gives.
func refused(op, object string, cause error, ack string) error {
	e := &host.Error{Op: op, Object: object, Err: cause, Ack: ack}
	for kind, causes := range map[error][]error{
		host.ErrNotExist:    {errNoDevice, errNoFile},
		host.ErrExist:       {errExist},
		host.ErrBusy:        {errBusy},
		host.ErrPermission:  {errDenied, errNotAllowed},
		host.ErrUnsupported: {errUnsupported, errFamily},
		host.ErrUnreachable: {errNetwork, errNoRoute},
	} {
		for _, c := range causes {
			if errors.Is(cause, c) {
				e.Kind = kind
			}
		}
	}
	return e
}

// noDevice is the kernel's ENODEV.
func noDevice(op, name string) error { return refused(op, name, errNoDevice, "") }

// noneCalled says which of several devices is missing: what it was to be, and its name.
func noneCalled(what, name string) error { return fmt.Errorf("%s %q: %w", what, name, errNoDevice) }

func invalid(op, object, text string) error { return refused(op, object, errInvalid, text) }

func busy(op, object string) error { return refused(op, object, errBusy, "") }
