package sandbox

import (
	"errors"
	"testing"
)

// TestChooseKernels asks for modules that this computer's kernel has, as any that runs a sandbox does, and for one that none has.
func TestChooseKernels(t *testing.T) {
	base := needGuest(t)
	for _, c := range []struct {
		host Host
		want string
	}{
		{Host{}, ""},
		{Host{KernelModules: []string{"veth", "bridge"}}, ""},
		{Host{KernelModules: []string{"veth", "no_such_module"}}, KernelGuest},
		{Host{Kernel: KernelShared, KernelModules: []string{"no_such_module"}}, KernelShared},
		{Host{Kernel: KernelGuest, KernelModules: []string{"veth"}}, KernelGuest},
	} {
		c.host.Name = "h"
		given := Topology{Name: "t", Hosts: []Host{c.host}}
		got, from, err := chooseKernels(t.Context(), given, Options{})
		if err != nil || got.Hosts[0].Kernel != c.want {
			t.Errorf("%+v: kernel %q, %v; want %q", c.host, got.Hosts[0].Kernel, err, c.want)
		}
		if (from == base) != (c.want == KernelGuest) {
			t.Errorf("%+v: boots from %q", c.host, from)
		}
		if given.Hosts[0].Kernel != c.host.Kernel {
			t.Errorf("%+v: the caller's topology was changed", c.host)
		}
	}
}

func TestKernelFaults(t *testing.T) {
	for _, h := range []Host{{Name: "h", Kernel: "own"}, {Name: "h", KernelModules: []string{"../x"}}, {Name: "h", KernelModules: []string{""}}} {
		if err := errors.Join(h.faults()...); err == nil {
			t.Errorf("%+v is valid", h)
		}
	}
	if err := errors.Join((Host{Name: "h", KernelModules: []string{"8021q", "batman-adv"}}).faults()...); err != nil {
		t.Error(err)
	}
}
