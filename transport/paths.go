package transport

import (
	"os"
	"os/user"
	"path/filepath"
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
