package transport

import (
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// distrusts says why a login would not be the one that made l, or one of its hops: since then known_hosts may have lost a line, or
// have got one that revokes, and the files of keys may be others. Empty: it would.
func (p *Pool) distrusts(l *link) string {
	for ; l != nil; l = l.via {
		h, err := newHostKeys(p.ctx, p, l.target)
		if err != nil || !h.still(l.flow.RemoteAddr(), l.hostKey) {
			return fmt.Sprintf("the host key of %s would not be taken any more", l.target.Name)
		}
		if l.keyFiles != l.target.keyFiles() {
			return fmt.Sprintf("the key files for %s have changed", l.target.Name)
		}
	}
	return ""
}

// keyFiles tells apart the states of the files that a login takes keys and certificates from.
func (t *Target) keyFiles() string {
	var b strings.Builder
	state := func(name string) {
		if info, err := os.Stat(expandHome(name)); err == nil {
			fmt.Fprintln(&b, name, info.Size(), info.ModTime().UnixNano())
		}
	}
	for _, f := range t.identityFiles() {
		state(f)
		state(f + ".pub")
		state(f + "-cert.pub")
	}
	for _, f := range t.CertificateFiles {
		state(f)
	}
	return b.String()
}

// still is check for a key that was taken before. It writes nothing down.
func (h *hostKeys) still(from net.Addr, key ssh.PublicKey) bool {
	switch {
	case h.checkRevoked(key) != nil:
		return false
	case h.unasked(from):
		return true
	case h.ask("HOSTNAME", key) != nil:
		return false
	}
	verdict := h.judge(key)
	switch {
	case verdict == nil:
		return true
	case h.pinned:
		return false
	case h.policy == PolicyAcceptNew: // where it could not be written down, it is new each time
		return !verdict.Revoked && len(verdict.Known) == 0
	}
	return h.policy == PolicyOff
}
