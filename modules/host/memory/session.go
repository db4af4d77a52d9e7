package memory

import "labctl/modules/host"

// SessionIP is that of the base.
func (h *Host) SessionIP() string { return host.SessionIP(h.base) }

// NetAdmin is that of the base.
func (h *Host) NetAdmin() bool { return host.NetAdmin(h.base) }
