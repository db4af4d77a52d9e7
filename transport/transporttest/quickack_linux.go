package transporttest

import (
	"net"
	"syscall"
)

// quickAck returns a function that switches off the delayed ACK of c until
// the kernel switches it on again, which it does after some packets
// (tcp(7), TCP_QUICKACK), hence a function and not a setting.
func quickAck(c *net.TCPConn) func() {
	raw, err := c.SyscallConn()
	if err != nil {
		return func() {}
	}
	return func() {
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		})
	}
}
