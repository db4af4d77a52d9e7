package linux

import "labctl/modules/host"

// Commands is not there yet.
func (h *Host) Commands() host.Commands { return nil }
