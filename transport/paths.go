package transport

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

func dirOf(path string) string { return filepath.Dir(path) }

// expandHome replaces a leading ~/ or ~user/.
func expandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path
	}
	name, tail, _ := strings.Cut(rest, "/")
	home, err := os.UserHomeDir()
	if name != "" {
		u, lookupErr := user.Lookup(name)
		if lookupErr != nil {
			return path
		}
		home, err = u.HomeDir, nil
	}
	if err != nil {
		return path
	}
	return filepath.Join(home, tail)
}

// localUser is the login name of whoever runs labctl.
func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// bareHost takes the brackets off an IPv6 address.
func bareHost(host string) string {
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

func splitAddr(addr string) (host string, port int) {
	h, p, err := net.SplitHostPort(addr)
	if err != nil {
		return addr, 22
	}
	port, _ = strconv.Atoi(p)
	return h, port
}
