package linux

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// Facts gathers everything in one pass of files, system calls and two dumps: it stands before the first task of every
// session, so it starts no process and looks at no routing table as a whole.
func (h *Host) Facts(ctx context.Context) (host.Facts, error) {
	f := host.Facts{OS: "linux", Processors: runtime.NumCPU(), MachineID: firstLine("/etc/machine-id"), Env: environ()}
	f.BootID = firstLine("/proc/sys/kernel/random/boot_id")
	f.Distribution, f.Version = osRelease()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return f, failed("read facts", "uname", err)
	}
	f.Hostname, f.Kernel, f.Architecture = unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err == nil {
		f.MemoryMB = int(uint64(si.Totalram) * uint64(si.Unit) >> 20) //nolint:unconvert // 32 bits wide on 386 and arm
	}
	f.User = new(names).user(os.Getuid())
	own, err := h.net("")
	if err != nil {
		return f, err
	}
	return f, own.networkFacts(ctx, &f)
}

func (n *Net) networkFacts(ctx context.Context, f *host.Facts) error {
	all, err := n.Links().List(ctx)
	if err != nil {
		return err
	}
	addresses, err := n.Addrs().List(ctx, "")
	if err != nil {
		return err
	}
	f.Interfaces = interfaces(all, addresses)
	f.DefaultIPv4 = n.defaultRoute("8.8.8.8", all)
	f.DefaultIPv6 = n.defaultRoute("2001:4860:4860::8888", all)
	return nil
}

func interfaces(all []host.Link, addresses []host.Addr) map[string]host.Interface {
	out := make(map[string]host.Interface, len(all))
	for _, l := range all {
		i := host.Interface{Type: l.Kind, Up: *l.Up, IPv4: []string{}, IPv6: []string{}}
		switch {
		case l.Loopback:
			i.Type = "loopback"
		case l.Kind == "":
			i.Type = "ether"
		}
		if l.Address != nil {
			i.MACAddress = *l.Address
		}
		if l.MTU != nil {
			i.MTU = *l.MTU
		}
		out[l.Name] = i
	}
	for _, a := range addresses {
		i, ok := out[a.Link]
		if !ok {
			continue // came between the two dumps
		}
		if strings.Contains(a.CIDR, ":") {
			i.IPv6 = append(i.IPv6, a.CIDR)
		} else {
			i.IPv4 = append(i.IPv4, a.CIDR)
		}
		out[a.Link] = i
	}
	return out
}

// defaultRoute asks the kernel how it would reach a well-known address of the Internet. Nothing is sent.
func (n *Net) defaultRoute(to string, all []host.Link) *host.DefaultRoute {
	dst := netip.MustParseAddr(to)
	header := make([]byte, unix.SizeofRtMsg)
	header[0], header[1] = familyOf(dst), uint8(dst.BitLen())
	b, err := n.conn.Get(rtnl.New(unix.RTM_GETROUTE, 0, header).Attr(unix.RTA_DST, dst.AsSlice()))
	if err != nil || len(b) < unix.SizeofRtMsg || b[7] != unix.RTN_UNICAST {
		return nil
	}
	out := &host.DefaultRoute{}
	for typ, v := range rtnl.Attrs(b[unix.SizeofRtMsg:]) {
		switch typ {
		case unix.RTA_OIF:
			for _, l := range all {
				if l.Index == int(rtnl.U32(v)) && l.Address != nil {
					out.Interface, out.MAC = l.Name, *l.Address
				}
			}
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			out.Gateway = gateway(typ, v)
		case unix.RTA_PREFSRC:
			if a, ok := netip.AddrFromSlice(v); ok {
				out.Address = a.String()
			}
		}
	}
	return out
}

// environ is the environment of the agent, without what sudo adds of its own: that is about the login, not about the machine.
func environ() map[string]string {
	out := map[string]string{}
	for _, e := range os.Environ() {
		if k, v, ok := strings.Cut(e, "="); ok && !strings.HasPrefix(k, "SUDO_") {
			out[k] = v
		}
	}
	return out
}

func firstLine(path string) string {
	b, _ := os.ReadFile(path) // absent on some systems
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(line)
}

// osRelease returns ID and VERSION_ID of os-release(5).
func osRelease() (id, version string) {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		b, _ = os.ReadFile("/usr/lib/os-release")
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			id = value
		case "VERSION_ID":
			version = value
		}
	}
	return id, version
}
