package sshconfig

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// environment is what the configuration depends on besides itself.
type environment struct {
	user     func() string
	home     func() string
	uid      func() string
	hostname func() string
	version  func() string
	lookup   Lookup
}

// Lookup resolves a name for CanonicalizeHostname: it returns the canonical name that the DNS gives, or an error if there is
// no address. Network is "ip", "ip4" or "ip6".
type Lookup func(ctx context.Context, network, name string) (canonical string, err error)

func realEnvironment() environment {
	return environment{
		user: localUser, home: func() string { return expandHomeOf("") }, uid: func() string { return strconv.Itoa(os.Getuid()) },
		hostname: func() string { h, _ := os.Hostname(); return h }, version: sshVersion, lookup: lookupDNS,
	}
}

func lookupDNS(ctx context.Context, network, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := net.DefaultResolver.LookupNetIP(ctx, network, name); err != nil {
		return "", err
	}
	canonical, err := net.DefaultResolver.LookupCNAME(ctx, name)
	if err != nil {
		return name, nil // an address without a canonical name, as from /etc/hosts
	}
	return canonical, nil
}

func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// expandTilde replaces a leading ~ or ~user. Unlike OpenSSH, and like all else in labctl, it goes by $HOME where that is set.
func expandTilde(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	name, tail, _ := strings.Cut(rest, "/")
	home := expandHomeOf(name)
	if home == "" {
		return "", fmt.Errorf("%q: there is no user %s", path, name)
	}
	return strings.TrimSuffix(home, "/") + "/" + strings.TrimLeft(tail, "/"), nil
}

// expandHomeOf is the home directory of a user, by default of this one; empty if there is none.
func expandHomeOf(name string) string {
	if name != "" {
		if u, err := user.Lookup(name); err == nil {
			return u.HomeDir
		}
		return ""
	}
	if home, err := os.UserHomeDir(); err == nil {
		return home
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return ""
}
