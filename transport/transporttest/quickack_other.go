//go:build !linux

package transporttest

import "net"

func quickAck(*net.TCPConn) func() { return func() {} }
