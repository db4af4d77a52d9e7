package transport

import "golang.org/x/crypto/ssh"

// trusts reports whether a login would take the host keys of l and of its hops now, and without asking: since it was made,
// known_hosts may have lost a line, or have got one that revokes.
func (p *Pool) trusts(l *link) bool {
	for ; l != nil; l = l.via {
		h, err := newHostKeys(p, l.target)
		if err != nil || !h.still(l.hostKey) {
			return false
		}
	}
	return true
}

// still is check for a key that was taken before. It writes nothing down.
func (h *hostKeys) still(key ssh.PublicKey) bool {
	if h.revoked.check(h, key) != nil {
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
