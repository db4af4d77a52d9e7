package host

import (
	"errors"
	"fmt"
)

// What callers branch on. Kernel errors become an *Error that matches one of these where they enter.
var (
	ErrNotExist    = errors.New("does not exist")     // ENODEV, ENOENT, ESRCH
	ErrExist       = errors.New("already exists")     // EEXIST
	ErrBusy        = errors.New("busy")               // EBUSY
	ErrPermission  = errors.New("not permitted")      // EPERM, EACCES
	ErrUnsupported = errors.New("not supported here") // EOPNOTSUPP, EAFNOSUPPORT, missing tool or kernel module
	ErrNoNetNS     = errors.New("no such network namespace")
	ErrUnreachable = errors.New("unreachable") // ENETUNREACH, EHOSTUNREACH, ICMP destination unreachable
)

// Error is a refusal of the machine.
type Error struct {
	Op     string // what was being done: "create link", "add address"
	Object string // to what: "br0", "10.0.0.1/24 dev eth0"
	Kind   error  // one of the sentinels above; nil when none fits
	Err    error  // the cause, a syscall.Errno where there is one
	Ack    string // the kernel's extended acknowledgement text, "" when it gave none
}

func (e *Error) Error() string {
	s := e.Op
	if e.Object != "" {
		s += " " + e.Object
	}
	switch {
	case e.Ack != "" && e.Err != nil:
		return fmt.Sprintf("%s: %v: %s", s, e.Err, e.Ack)
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", s, e.Err)
	case e.Kind != nil:
		return fmt.Sprintf("%s: %v", s, e.Kind)
	}
	return s
}

// Unwrap lets errors.Is match both the sentinel and the cause.
func (e *Error) Unwrap() []error {
	var out []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			out = append(out, err)
		}
	}
	return out
}
