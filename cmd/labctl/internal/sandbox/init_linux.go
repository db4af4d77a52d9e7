package sandbox

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// spec is what PID 1 of a host needs to know; it reads it from its standard input.
type spec struct {
	Sandbox, Name string
	Port          int
	User          string
	HostsFile     string
	HostKey       string // private, PEM
	AuthorizedKey string
	SSHD          string // path
	Scratch       string // directory to mount on

	Guest string // for a host with a kernel of its own: a guestSpec in JSON
	CPU   int    // that a guest is pinned to, modulo those there are
}

// report is what PID 1 answers on its standard output, once.
type report struct {
	Error    string   `json:",omitempty"`
	Warnings []string `json:",omitempty"`
}

// InitMain runs one of the processes of a sandbox; args are those after InitVerb. It returns the
// exit code. It must be called before the program does anything else.
func InitMain(args []string) int {
	// This goroutine keeps the main thread: the supervisor's children die with the thread that
	// started them.
	runtime.LockOSThread()
	var err error
	switch {
	case len(args) == 2 && args[0] == "supervise":
		err = detach(args[1])
	case len(args) == 2 && args[0] == "supervise-detached":
		err = supervise(args[1])
	case len(args) == 3 && args[0] == "host":
		err = hostMain()
	case len(args) == 3 && args[0] == "guest":
		err = guestMain()
	case len(args) > 0 && args[0] == "guest-root": // UML appends arguments of its own to its command line
		err = guestRootMain()
	case len(args) == 1 && args[0] == "guest-mend":
		err = guestMendMain()
	default:
		err = fmt.Errorf("%s is for the sandbox's own use", InitVerb)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "labctl:", err)
		return 1
	}
	return 0
}

// adopt ties the calling PID 1 to its supervisor and hears what to be.
func adopt() (s spec, err error) {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return s, fmt.Errorf("die with supervisor: %w", err)
	}
	if err := os.WriteFile("/proc/self/comm", []byte("labctl"), 0); err != nil {
		return s, fmt.Errorf("set name of process: %w", err)
	}
	// A supervisor that is gone by now has closed the pipe, so nobody is left behind.
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return s, fmt.Errorf("read spec: %w", err)
	}
	return s, nil
}

// hostMain is PID 1 of a host.
func hostMain() error {
	s, err := adopt()
	if err != nil {
		return err
	}
	machine := &initSystem{spec: s}
	r := report{}
	if err := machine.boot(); err != nil {
		r.Error = err.Error()
	} else if w := sudoWarning(s.User); w != "" {
		r.Warnings = append(r.Warnings, w)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil || r.Error != "" {
		return err
	}
	if err := letGo(3); err != nil {
		return err
	}
	machine.run()
	return nil
}

// initSystem starts sshd, starts it again when it ends, and reaps.
type initSystem struct {
	spec
	sshd     int // pid
	children chan os.Signal
}

func (m *initSystem) boot() error {
	m.children = make(chan os.Signal, 1)
	signal.Notify(m.children, syscall.SIGCHLD, syscall.SIGTERM)
	if err := unix.Sethostname([]byte(m.Name)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	if err := enterRoot(m.Scratch); err != nil {
		return err
	}
	os.Clearenv()
	if err := os.Setenv("PATH", hostPath); err != nil {
		return err
	}
	for _, step := range []func() error{m.writeFiles, m.settle,
		func() error { return openAccount("root", m.AuthorizedKey) },
		func() error { return openAccount(m.User, m.AuthorizedKey) },
		func() error { return configureSSHD(m.Port, m.HostKey) },
		m.startSSHD,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return awaitListener(m.Port, func() bool { m.reap(); return m.sshd == 0 })
}

const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// writeFiles makes the files that tell this machine from the others.
func (m *initSystem) writeFiles() error {
	for _, dir := range []string{"/run/lock", "/tmp", "/var/tmp"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	id := md5.Sum([]byte(m.Sandbox + "\x00" + m.Name))
	for path, text := range map[string]string{
		"/etc/hostname":    m.Name + "\n",
		"/etc/hosts":       m.HostsFile,
		"/etc/machine-id":  fmt.Sprintf("%x\n", id),
		"/etc/resolv.conf": "# a sandbox has no resolver: see /etc/hosts\n",
		"/etc/motd":        "",
		"/run/utmp":        "",
		"/var/log/wtmp":    "",
		"/var/log/lastlog": "",
	} {
		// Often a link into /run, which is empty.
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// settle brings the loopback up and undoes what a new network namespace takes over from the main one
// (net.core.devconf_inherit_init_net).
func (m *initSystem) settle() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	for _, name := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
		"net/ipv6/conf/all/disable_ipv6", "net/ipv6/conf/default/disable_ipv6",
		"net/ipv4/conf/all/rp_filter", "net/ipv4/conf/default/rp_filter"} {
		if err := sysctl(name, "0"); err != nil {
			return err
		}
	}
	return nil
}

func (m *initSystem) startSSHD() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := os.StartProcess(m.SSHD, []string{m.SSHD, "-D", "-E", sshdLog}, &os.ProcAttr{
		Dir: "/", Env: []string{"PATH=" + hostPath}, Files: []*os.File{null, null, null},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("start sshd: %w", err)
	}
	m.sshd = p.Pid
	return p.Release()
}

// letGo drops the first so many files, standard input first, which lead to the supervisor.
func letGo(files int) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range files {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}

// run never ends unless told to: PID 1 takes all other processes with it.
func (m *initSystem) run() {
	for s := range m.children {
		if s == syscall.SIGTERM {
			return
		}
		if m.reap(); m.sshd == 0 {
			// As the distributions' unit files do: Restart=on-failure.
			time.Sleep(100 * time.Millisecond)
			_ = m.startSSHD()
		}
	}
}

// reap collects every child that has ended.
func (m *initSystem) reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
		if pid == m.sshd {
			m.sshd = 0
		}
	}
}
