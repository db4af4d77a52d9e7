package linux

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// capNetAdmin is the bit of CAP_NET_ADMIN (include/uapi/linux/capability.h).
const capNetAdmin = 12

// NetAdmin says whether this process may administer the network. Its capabilities stay what they are.
func (h *Host) NetAdmin() bool { return netAdmin() }

// netAdmin looks at the effective capabilities of this process; where they cannot be read, root has them.
var netAdmin = sync.OnceValue(func() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return os.Geteuid() == 0
	}
	_, rest, _ := strings.Cut(string(status), "\nCapEff:\t")
	line, _, _ := strings.Cut(rest, "\n")
	caps, err := strconv.ParseUint(line, 16, 64)
	if err != nil {
		return os.Geteuid() == 0
	}
	return caps&(1<<capNetAdmin) != 0
})
