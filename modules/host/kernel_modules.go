package host

import "context"

// KernelModule is a loadable part of the kernel. Its name has underscores where files may have hyphens.
type KernelModule struct {
	Name      string   `json:"name"`
	Loaded    bool     `json:"loaded,omitempty"`
	Builtin   bool     `json:"builtin,omitempty"`   // part of the kernel itself
	Available bool     `json:"available,omitempty"` // can be loaded
	Depends   []string `json:"depends,omitempty"`   // what is loaded with it, if it is not loaded yet
}

// KernelModules are those of the running kernel.
type KernelModules interface {
	// Get describes a module, also one that the kernel does not have.
	Get(ctx context.Context, name string) (KernelModule, error)
	// Load loads a module with those that it depends on and with the options in /etc/modprobe.d, as modprobe(8).
	Load(ctx context.Context, name string) error
	// Unload takes away a module alone, as delete_module(2). ErrBusy while something uses it.
	Unload(ctx context.Context, name string) error
	// List describes those that are loaded.
	List(ctx context.Context) ([]KernelModule, error)
}
