package linux

import "labctl/modules/host"

// Files is not there yet.
func (h *Host) Files() host.Files { return nil }
