package inventory

import (
	"reflect"
	"testing"
)

// TestKernels merges what is said for all hosts of the sandbox with what they say themselves.
func TestKernels(t *testing.T) {
	inv := good(t, `
sandbox { kernel_modules = ["8021q"] }
host "all" {}
host "own" { kernel = "guest" }
host "other" { kernel_modules = ["vrf"] }
host "none" { kernel_modules = [] }
host "shared" { kernel = "shared" }
`)
	for name, want := range map[string]Kernel{
		"all":    {Modules: []string{"8021q"}},
		"own":    {Kind: KernelGuest},
		"other":  {Modules: []string{"vrf"}},
		"none":   {Modules: []string{}},
		"shared": {Kind: KernelShared},
	} {
		if got := inv.Host(name).Kernel; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
