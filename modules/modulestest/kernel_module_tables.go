package modulestest

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

// KernelModuleSuite tries kernel_module with the module dummy.
func KernelModuleSuite() Suite {
	return Suite{Module: "kernel_module", Compare: sameModule,
		States:  states("kernel_module", `{"name":"dummy"}`, `{"name":"dummy","persist":false}`, `{"name":"dummy","options":{"numdummies":"0"}}`, `{"name":"dummy","options":{}}`),
		Rejects: []Reject{{`{"name":"a/b"}`, "name"}, {`{"name":"a.ko"}`, "name"}, {`{"name":"a","options":{"a b":"1"}}`, "options"}}}
}

func sameModule(ctx context.Context, model, real host.Host) string {
	a, errA := model.KernelModules().Get(ctx, "dummy")
	b, errB := real.KernelModules().Get(ctx, "dummy")
	if a.Loaded != b.Loaded || errA != nil || errB != nil {
		return fmt.Sprint("model: ", a, errA, "\nhost:  ", b, errB)
	}
	return sameFiles("/etc/modules-load.d/dummy.conf", "/etc/modules-load.d/other.conf", "/etc/modprobe.d/dummy.conf")(ctx, model, real)
}
