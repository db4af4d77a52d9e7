package linux

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Host is the machine this process runs on.
type Host struct {
	dir string // where named namespaces are: /run/netns

	mu   sync.Mutex
	self *Net            // the namespace of the thread that called New
	nets map[string]*Net // by reference
	anon *Net            // the scratch namespace, made when first asked for
}

var (
	_ host.Host      = (*Host)(nil)
	_ host.Scratcher = (*Host)(nil)
)

// Net is one network namespace, held open by a descriptor.
type Net struct {
	h   *Host
	ref string
	fd  int // an open /proc/.../ns/net
	ino uint64
}

var _ host.Net = (*Net)(nil)

// New returns the host as seen from the network namespace of the calling thread. Close releases what it holds.
func New() *Host {
	return &Host{dir: "/run/netns", nets: map[string]*Net{}}
}

// inNetNS runs fn on a thread that is in the namespace open as fd. The thread is thrown away afterwards, so fn must not
// keep anything bound to it.
func (h *Host) inNetNS(fd int, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends the thread with the goroutine
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter netns: %w", os.NewSyscallError("setns", err))
			return
		}
		done <- fn()
	}()
	return <-done
}

// scratch returns a descriptor of a namespace of our own that no one else uses: as a namespace is when just created. It
// stays open until Close.
func (h *Host) scratch(ctx context.Context) (int, error) {
	return -1, fmt.Errorf("scratch netns: %w", host.ErrUnsupported)
}

func (h *Host) Scratch(ctx context.Context) (host.Net, error) {
	return nil, fmt.Errorf("scratch netns: %w", host.ErrUnsupported)
}
func (h *Host) Net(ctx context.Context, ref string) (host.Net, error) {
	return nil, &host.Error{Op: "open netns", Object: ref, Kind: host.ErrNoNetNS}
}
func (h *Host) Facts(ctx context.Context) (host.Facts, error) { return host.Facts{}, nil }
func (h *Host) NetNS() host.NetNSs                            { return nil }
func (n *Net) Links() host.Links                              { return nil }
func (n *Net) Addrs() host.Addrs                              { return nil }
func (n *Net) Routes() host.Routes                            { return nil }
func (n *Net) Rules() host.Rules                              { return nil }
func (n *Net) Neighs() host.Neighs                            { return nil }
func (n *Net) Sysctls() host.Sysctls                          { return nil }
