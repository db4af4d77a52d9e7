package linux

import (
	"context"
	"errors"
	"strings"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// kernelLog reads /dev/kmsg (dev-kmsg of the kernel's Documentation/ABI/testing).
type kernelLog struct{ fd int }

func (p probes) KernelLog(context.Context) (host.KernelLog, error) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		if _, err = unix.Seek(fd, 0, unix.SEEK_END); err != nil {
			_ = unix.Close(fd)
		}
	}
	return kernelLog{fd}, failed("read", "/dev/kmsg", err)
}

func (l kernelLog) Close() error { return unix.Close(l.fd) }

// Read makes one call for each message: "6,339,5140900,-;text", lines with more of it behind.
func (l kernelLog) Read() (out []string, err error) {
	for b := make([]byte, 8192); ; {
		n, err := unix.Read(l.fd, b)
		switch err {
		case nil:
		case unix.EAGAIN:
			return out, nil
		case unix.EPIPE:
			return out, failed("read", "/dev/kmsg", errors.New("the kernel logs faster than it keeps: messages are lost"))
		case unix.EINTR:
			continue
		default:
			return out, failed("read", "/dev/kmsg", err)
		}
		if _, text, ok := strings.Cut(string(b[:n]), ";"); ok {
			text, _, _ = strings.Cut(text, "\n")
			out = append(out, text)
		}
	}
}
