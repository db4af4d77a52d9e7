package memory

import (
	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

// Accounts edits the files of the model.
func (h *Host) Accounts() host.Accounts { return accounts.Editor{Files: h.Files()} }
