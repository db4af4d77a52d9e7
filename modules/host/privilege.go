package host

// administrator is implemented by hosts that know whether they may change the network.
type administrator interface{ NetAdmin() bool }

// NetAdmin reports whether whoever acts on h may change its network (CAP_NET_ADMIN, capabilities(7)). A model of a host may
// do what it likes; this tells what the host itself would allow.
func NetAdmin(h Host) bool {
	a, ok := h.(administrator)
	return !ok || a.NetAdmin()
}
