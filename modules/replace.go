package modules

import "slices"

// settings are the modules whose objects have no being of their own: they are properties of something else, and nothing is gained
// by removing and making them again.
var settings = []string{"address", "authorized_key", "bridge_port", "bridge_vlan", "hostname", "hosts_file", "iptables_chain", "line", "link",
	"resolver", "service", "sysctl"}

// Replaceable reports whether the object of a module can be removed and made again.
func Replaceable(m Module) bool { return m.Kind() == Resource && !slices.Contains(settings, m.Name()) }
