package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// guestPapers is where a guest finds what PID 1 of the namespaces around it has laid out.
const guestPapers = "/.labctl"

// guestRootMain is the first process of a guest: it lays the guest's disk over the base, makes it the machine that it is to be,
// and becomes systemd.
func guestRootMain() error {
	if err := os.Setenv("PATH", hostPath); err != nil {
		return err
	}
	s, g, err := readPapers()
	if err != nil {
		return err
	}
	m := &initSystem{spec: s}
	first, err := layDisk(s)
	if err != nil {
		return err
	}
	for _, step := range []func() error{mountEarly, func() error { return m.furnish(first) }, m.settle,
		func() error { return plugIn(g.Links) }, func() error { return openConsole(len(g.Links)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, []string{"PATH=" + hostPath})
}

func readPapers() (s spec, g guestSpec, err error) {
	text, err := os.ReadFile(filepath.Join(guestPapers, "spec"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil {
		err = json.Unmarshal([]byte(s.Guest), &g)
	}
	if err != nil {
		err = fmt.Errorf("read spec: %w", err)
	}
	return s, g, err
}

// layDisk makes the disk over the base the root. first is whether the machine is to be made what s says: at the first boot, and
// when that has changed.
func layDisk(s spec) (first bool, err error) {
	if _, err := os.Stat("/dev/ubda"); err != nil {
		if err := mount("dev", "/dev", "devtmpfs", 0, ""); err != nil {
			return false, err
		}
	}
	if err := mount("proc", "/proc", "proc", 0, ""); err != nil {
		return false, err
	}
	if out, err := exec.Command("modprobe", "overlay").CombinedOutput(); err != nil {
		return false, fmt.Errorf("modprobe overlay: %w: %s", err, out)
	}
	if err := mount("/dev/ubda", "/mnt", "ext4", 0, ""); err != nil {
		return false, err
	}
	err = errors.Join(os.MkdirAll("/mnt/upper", 0o755), os.MkdirAll("/mnt/work", 0o755), os.MkdirAll("/mnt/root", 0o755))
	if err != nil {
		return false, err
	}
	if err := mount("overlay", "/mnt/root", "overlay", 0, "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work"); err != nil {
		return false, err
	}
	s.Guest = "" // its interfaces are made anew anyway
	made, err := json.Marshal(s)
	if err != nil {
		return false, err
	}
	before, _ := os.ReadFile("/mnt/made")
	if first = string(before) != string(made); first {
		// Written before the work, which is the same however often it is done, but done by then: a disk is synced at a shutdown only.
		if err := os.WriteFile("/mnt/made", made, 0o600); err != nil {
			return false, err
		}
	}
	for _, dir := range []string{"/dev", "/proc"} {
		if err := unix.Mount(dir, "/mnt/root"+dir, "", unix.MS_MOVE, ""); err != nil {
			return false, fmt.Errorf("move %s: %w", dir, err)
		}
	}
	return first, pivot("/mnt/root")
}

// mountEarly mounts what is needed before systemd comes; it leaves that as it is.
func mountEarly() error {
	if err := mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return err
	}
	_ = exec.Command("modprobe", "-q", "ipv6").Run() // where it is a module, so that /proc/sys/net/ipv6 is there from the start
	return errors.Join(os.MkdirAll("/run/sshd", 0o755), os.MkdirAll("/run/labctl", 0o700), holdBackOVS())
}

// holdBackOVS has ovs-vswitchd wait until the machine is older than 10 seconds. Before that it counts no processor, starts no
// thread that handles packets, and those that it starts later get none: nothing is forwarded (count_cpu_cores, lib/ovs-thread.c
// of Open vSwitch 3.1, takes its first count for 10 seconds old when the clock shows less).
func holdBackOVS() error {
	const dir = "/run/systemd/system/ovs-vswitchd.service.d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(dir+"/processors.conf", []byte(`[Service]
ExecStartPre=/bin/sh -c 'while read -r up rest </proc/uptime && [ "$${up%%%%.*}" -lt 11 ]; do sleep 0.2; done'
`), 0o644)
}

// furnish makes the files that tell this machine from the others, as other hosts have them.
func (m *initSystem) furnish(first bool) error {
	if !first {
		return nil
	}
	for _, step := range []func() error{m.writeFiles,
		func() error { return openAccount("root", m.AuthorizedKey) },
		func() error { return openAccount(m.User, m.AuthorizedKey) },
		func() error { return configureSSHD(m.Port, m.HostKey) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// plugIn gives the interfaces their names, addresses and routes; the kernel numbers them as its command line does.
func plugIn(links []link) error {
	for i, l := range links {
		near, err := netlink.LinkByName(fmt.Sprintf("vec%d", i))
		if err == nil {
			err = netlink.LinkSetName(near, l.Name)
		}
		if err == nil {
			err = configure(l)
		}
		if err == nil && l.managed() {
			_, err = mend(l)
		}
		if err != nil {
			return fmt.Errorf("interface %s: %w", l.Name, err)
		}
	}
	return nil
}

// openConsole moves the last interface into a network namespace of its own, where labctl-console.service finds it.
func openConsole(n int) error {
	nic, err := netlink.LinkByName(fmt.Sprintf("vec%d", n))
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	ns, err := newNetns(func() error { return nil })
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	defer ns.Close()
	if err := netlink.LinkSetNsFd(nic, int(ns.Fd())); err != nil {
		return fmt.Errorf("console: move interface: %w", err)
	}
	err = inNetns(ns, func() error {
		nic, err := netlink.LinkByName(nic.Attrs().Name)
		if err != nil {
			return err
		}
		there, err := netlink.ParseAddr(consoleGuest)
		if err != nil {
			return err
		}
		return errors.Join(netlink.AddrAdd(nic, there), netlink.LinkSetUp(nic))
	})
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	const place = "/run/labctl/console"
	if err := os.WriteFile(place, nil, 0o600); err != nil {
		return err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", ns.Fd()), place, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("console: name namespace: %w", err)
	}
	return nil
}

// guestOrder is what the supervisor asks of a guest that runs.
type guestOrder struct {
	HostsFile string // empty: as it is
	Links     []link
}

// guestMendMain does an order, inside the guest, and says what it took, one line each.
func guestMendMain() error {
	var o guestOrder
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return fmt.Errorf("read order: %w", err)
	}
	if o.HostsFile != "" {
		if err := os.WriteFile("/etc/hosts", []byte(o.HostsFile), 0o644); err != nil {
			return err
		}
	}
	for _, l := range o.Links {
		if !l.managed() {
			continue
		}
		done, err := mend(l)
		if err != nil {
			return fmt.Errorf("interface %s: %w", l.Name, err)
		}
		if done {
			fmt.Println("mended " + l.Name)
		}
	}
	return nil
}
