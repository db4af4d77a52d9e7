package linux

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"labctl/modules/codec"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// respondVariable is where the server that host.RespondArgument asks for finds its host.Responder.
const respondVariable = "LABCTL_RESPOND"

// Respond answers HTTP requests until it is killed, as the environment says.
func (h *Host) Respond() error {
	var r host.Responder
	if err := codec.Unmarshal([]byte(os.Getenv(respondVariable)), &r); err != nil {
		return fmt.Errorf("read %s: %w", respondVariable, err)
	}
	fd, err := listenFor(r)
	if err != nil {
		return fmt.Errorf("listen on port %d: %w", r.Port, err)
	}
	answer := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		r.Status, map[bool]string{true: "OK", false: "Status"}[r.Status == 200], len(r.Body))
	for {
		c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		switch err {
		case nil:
			go respond(os.NewFile(uintptr(c), "connection"), answer, r.Body)
		case unix.EMFILE, unix.ENFILE:
			time.Sleep(10 * time.Millisecond)
		case unix.EBADF, unix.EINVAL:
			return err
		}
	}
}

// listenFor opens the socket. Without an address it is for IPv4 and IPv6; for IPv4 alone where the kernel has no other.
func listenFor(r host.Responder) (int, error) {
	ip, err := netip.ParseAddr(r.Address)
	if r.Address == "" {
		ip, err = netip.IPv6Unspecified(), nil
	}
	if err != nil {
		return -1, err
	}
	family := unix.AF_INET
	if ip.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == unix.EAFNOSUPPORT && r.Address == "" {
		r.Address = "0.0.0.0"
		return listenFor(r)
	}
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	sa, err := sockaddr(fd, ip, uint16(r.Port))
	if err != nil {
		return -1, err
	}
	if family == unix.AF_INET6 && r.Address == "" {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, sa); err != nil {
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, os.NewSyscallError("listen", unix.Listen(fd, 128))
}

// respond reads one request's head and answers.
func respond(c *os.File, answer, body string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	first, err := readLine(r)
	length := 0
	for line := first; err == nil && line != ""; line, err = readLine(r) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	if err != nil {
		return
	}
	_, _ = r.Discard(min(length, 1<<20)) // closing before all is read would reset the connection
	if strings.HasPrefix(first, "HEAD ") {
		body = ""
	}
	_, _ = c.WriteString(answer + body)
}
