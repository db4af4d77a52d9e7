package host

// sessioner is implemented by hosts that know how their user came in.
type sessioner interface{ SessionIP() string }

// SessionIP returns the address of h that the SSH session came in on, in its own namespace, or "" when there is none. Whatever
// carries it is not to be taken away: nobody could come in again to put it back.
func SessionIP(h Host) string {
	if s, ok := h.(sessioner); ok {
		return s.SessionIP()
	}
	return ""
}
