package memory

import "labctl/modules/host"

// files is what has been written here over the files of the base.
type files struct{}

// Files returns the file system.
func (h *Host) Files() host.Files { return nil }
