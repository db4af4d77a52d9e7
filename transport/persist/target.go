package persist

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"labctl/transport"
)

// portable returns t as the server can use it; nil where it cannot: what depends on this process's environment it
// cannot, and what an OpenSSH master keeps already it need not.
func (d *Dialer) portable(t *transport.Target) *transport.Target {
	if t == nil {
		return nil
	}
	own := *t
	if own.Persist == 0 {
		own.Persist = d.usual
	}
	if own.Persist < 0 || own.ProxyCommand != "" || mastered(own.ControlPath) {
		return nil
	}
	if slices.ContainsFunc(slices.Concat(own.IdentityFiles, own.CertificateFiles, own.KnownHosts, own.RevokedHostKeys), transport.OnlyHere) {
		return nil
	}
	own.ControlPath = "" // nobody is there
	if t.Via != nil {
		if own.Via = d.portable(t.Via); own.Via == nil {
			return nil
		}
	}
	absolute(&own)
	return &own
}

// mastered reports whether there is an OpenSSH master. Its path is complete but for the home directory.
func mastered(path string) bool {
	if path == "" || strings.EqualFold(path, "none") {
		return false
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	if _, err := os.Stat(path); err != nil {
		return false
	}
	c, err := net.DialTimeout("unix", path, patience)
	if err == nil {
		_ = c.Close()
	}
	return err == nil || isBusy(err) // else it has been killed, and left its socket
}

// absolute names files so that a process in another directory finds them.
func absolute(t *transport.Target) {
	for _, list := range []*[]string{&t.IdentityFiles, &t.KnownHosts, &t.CertificateFiles, &t.RevokedHostKeys} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i] = absPath((*list)[i])
		}
	}
	if t.IdentityAgent != "none" && t.IdentityAgent != "SSH_AUTH_SOCK" {
		t.IdentityAgent = absPath(t.IdentityAgent)
	}
}

func absPath(p string) string {
	if p == "" || p == "none" || p[0] == '~' || p[0] == '$' || filepath.IsAbs(p) {
		return p
	}
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}
