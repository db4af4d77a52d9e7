package inventory

import (
	"github.com/hashicorp/hcl/v2"
)

// The kernels that a host of the sandbox may have.
const (
	KernelShared = "shared" // that of the computer that the sandbox is on
	KernelGuest  = "guest"  // its own
)

// Kernel is which kernel a host gets in the sandbox; real hosts have the one they have.
type Kernel struct {
	Kind    string   // KernelShared, KernelGuest or "": a guest where the computer's own kernel lacks one of Modules
	Modules []string // by their names, such as 8021q; nil: not said
}

var (
	kernelAttributes = attributes("kernel", "kernel_modules")
	sandboxSchema    = &hcl.BodySchema{Attributes: kernelAttributes}
)

// sandbox reads the block with what all hosts of the sandbox get that say nothing themselves.
func (d *decoder) sandbox(b *hcl.Block) {
	if d.sandboxRange != nil {
		d.fault(b.DefRange, "Duplicate sandbox block", "What all hosts of the sandbox get was given already at %s. Say all in one block.", d.sandboxRange)
	}
	d.sandboxRange = b.DefRange.Ptr()
	d.inv.Kernel = d.kernel(d.content(b, sandboxSchema).Attributes)
}

func (d *decoder) kernel(a hcl.Attributes) Kernel {
	return Kernel{Kind: d.oneOf(a["kernel"], KernelShared, KernelGuest), Modules: d.texts(a["kernel_modules"])}
}

// fill takes what a host does not say from what is for all. One that says which kernel it wants needs no modules of others.
func (k *Kernel) fill(from Kernel) {
	if k.Modules == nil && k.Kind == "" {
		k.Modules = from.Modules
	}
	if k.Kind == "" && len(k.Modules) == 0 {
		k.Kind = from.Kind
	}
}
