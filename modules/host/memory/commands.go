package memory

import "labctl/modules/host"

// Commands returns what runs processes: nothing does while planning.
func (h *Host) Commands() host.Commands { return nil }
