package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// guestRSS is what a guest that has just booted takes of this computer's memory, in kB, with something to spare.
const guestRSS = 120 << 10

// chooseKernels decides which hosts get a kernel of their own, so that the topology says so for each, and makes sure that there is what
// those boot from.
func chooseKernels(ctx context.Context, t Topology, o Options) (Topology, string, error) {
	t.Hosts = slices.Clone(t.Hosts)
	log := o.Log
	if log == nil {
		log = func(string) {}
	}
	guests, known := 0, map[string]bool{}
	var why error // the first host that cannot do without
	for i, h := range t.Hosts {
		var lacks []string
		for _, m := range h.KernelModules {
			if _, asked := known[m]; !asked {
				known[m] = hasModule(m)
			}
			if !known[m] {
				lacks = append(lacks, m)
			}
		}
		if h.Kernel == "" && len(lacks) > 0 {
			t.Hosts[i].Kernel = KernelGuest
		}
		if t.Hosts[i].guest() {
			guests++
			why = errors.Join(why, reason(h, lacks))
		}
	}
	if guests == 0 {
		return t, "", nil
	}
	if err := CheckGuest(); err != nil {
		return t, "", fmt.Errorf("%w:\n%w", why, err)
	}
	if err := memoryFor(guests); err != nil {
		return t, "", err
	}
	base, err := SetupGuest(ctx, log)
	return t, base, err
}

func reason(h Host, lacks []string) error {
	if len(lacks) > 0 {
		return fmt.Errorf("host %q needs a kernel of its own, for this computer's lacks %s", h.Name, strings.Join(lacks, ", "))
	}
	return fmt.Errorf("host %q is to have a kernel of its own", h.Name)
}

// memoryFor reports whether so many guests can be booted: one that runs out of memory takes others with it.
func memoryFor(guests int) error {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		var have int
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &have); n == 1 && have < guests*guestRSS {
			return fmt.Errorf("%d guests take about %d MB of memory, and this computer has %d MB left", guests, guests*guestRSS>>10, have>>10)
		}
	}
	return nil
}

// linkModules are the modules that make a kind of link, by which they are found even where the kernel has them built in and
// nothing else tells of them.
var linkModules = map[string]string{"8021q": "vlan", "dummy": "dummy", "bonding": "bond", "vrf": "vrf", "ip_gre": "gretap",
	"ip6_gre": "ip6gretap", "geneve": "geneve", "vxlan": "vxlan", "ipip": "ipip", "sit": "sit", "ip6_tunnel": "ip6tnl",
	"macvlan": "macvlan", "ipvlan": "ipvlan", "wireguard": "wireguard", "team": "team", "ifb": "ifb", "bridge": "bridge",
	"veth": "veth", "batman-adv": "batadv", "nlmon": "nlmon"}

// hasModule reports whether this computer's kernel has a module, loaded, built in or to be loaded; if the latter, it is loaded now.
func hasModule(name string) bool {
	if kind, ok := linkModules[name]; ok {
		return hasLinkKind(kind)
	}
	if _, err := os.Stat("/sys/module/" + strings.ReplaceAll(name, "-", "_")); err == nil {
		return true
	}
	if exec.Command(sbinPath("modprobe"), "-q", name).Run() == nil {
		return true
	}
	return builtIn(strings.ReplaceAll(name, "-", "_"))
}

// builtIn looks a module up in modules.builtin, see kbuild.rst.
func builtIn(name string) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	text, _ := os.ReadFile(filepath.Join("/lib/modules", unix.ByteSliceToString(u.Release[:]), "modules.builtin"))
	for line := range strings.Lines(string(text)) {
		if base := strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".ko"); strings.ReplaceAll(base, "-", "_") == name {
			return true
		}
	}
	return false
}

// hasLinkKind tries to make a link of a kind in a network namespace that is thrown away. The kernel looks at the kind first, and loads
// its module; what else it finds missing does not matter (rtnl_newlink, net/core/rtnetlink.c: EOPNOTSUPP "Unknown device type").
func hasLinkKind(kind string) bool {
	var err error
	ns, failed := newNetns(func() error {
		err = netlink.LinkAdd(&netlink.GenericLink{LinkAttrs: linkAttrs("probe0"), LinkType: kind})
		return nil
	})
	if failed != nil {
		return false
	}
	ns.Close()
	return !errors.Is(err, unix.EOPNOTSUPP)
}
