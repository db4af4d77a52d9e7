package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guestSpec is what a guest has beyond what every host has. It travels as text, so that specs can be compared.
type guestSpec struct {
	Base  string
	Links []link
}

const (
	guestMemory   = "512M"                      // the most that one takes; it takes it as it needs it
	guestReady    = "guest is up"               // what labctl-ready.service says
	guestRestarts = "reboot: Restarting system" // what the kernel says last (kernel_restart, kernel/reboot.c)
	guestTimeout  = 3 * time.Minute             // for a boot; four seconds are usual
	guestLog      = 256 << 10                   // bytes of console that are kept
	guestLines    = 15                          // of it that an error shows
	guestReboot   = 77                          // exit code of Base/reboot
	guestDiskFD   = 3                           // of the guest's PID 1 and of the kernel
	noRandomize   = 0x0040000                   // ADDR_NO_RANDOMIZE, personality(2)
	consoleGuest  = "169.254.77.2/30"           // see guestroot.sh
	consoleHere   = "169.254.77.1/30"
)

// guestMain is PID 1 of the namespaces around a guest kernel, and ends with it. They have a mount namespace for what the guest
// sees of this computer, a network namespace where its cables end, and a pid namespace, so that nothing of it is ever left.
func guestMain() error {
	s, err := adopt()
	if err != nil {
		return err
	}
	g := &guest{spec: s, up: make(chan struct{}), disk: os.NewFile(guestDiskFD, "disk")}
	r := report{}
	if err = json.Unmarshal([]byte(s.Guest), &g.guestSpec); err == nil {
		err = g.boot()
	}
	if err != nil {
		r.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil || r.Error != "" {
		return err
	}
	if err := letGo(2); err != nil { // the log of the sandbox stays
		return err
	}
	return g.run()
}

// guest is a kernel and what is around it.
type guest struct {
	spec
	guestSpec
	dir    string // what the guest may see of this computer, hostfs
	disk   *os.File
	kernel *exec.Cmd
	ended  chan error
	up     chan struct{}
	ready  atomic.Bool
	tail   *ring // of its console
}

// boot starts the kernel and returns once systemd has everything up.
func (g *guest) boot() error {
	for _, step := range []func() error{g.makeRoom, g.makeCables, g.pin, g.start} {
		if err := step(); err != nil {
			return err
		}
	}
	select {
	case <-g.up:
		return nil
	case err := <-g.ended:
		return fmt.Errorf("the guest kernel ended at boot: %w\n%s", err, g.tail.text())
	case <-time.After(guestTimeout):
		return fmt.Errorf("the guest kernel is not up after %s\n%s", guestTimeout, g.tail.text())
	}
}

// makeRoom lays out, in this mount namespace alone, what the guest sees: its base, read-only, with its own papers in it, and a place
// for its memory.
func (g *guest) makeRoom() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := mount("tmpfs", g.Scratch, "tmpfs", 0, "mode=0700"); err != nil {
		return err
	}
	g.dir = filepath.Join(g.Scratch, "guest")
	base, papers := filepath.Join(g.dir, "base"), filepath.Join(g.dir, "base", ".labctl")
	if err := errors.Join(os.MkdirAll(base, 0o755), os.Mkdir(filepath.Join(g.Scratch, "memory"), 0o700)); err != nil {
		return err
	}
	if err := unix.Mount(filepath.Join(g.Base, "root"), base, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", g.Base, err)
	}
	if err := unix.Mount("", base, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount %s read-only: %w", g.Base, err)
	}
	if err := mount("tmpfs", papers, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	text, err := json.Marshal(g.spec)
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join(papers, "spec"), text, 0o600), os.WriteFile(filepath.Join(papers, "host_key"), []byte(g.HostKey), 0o600),
		os.WriteFile(filepath.Join(papers, "authorized_keys"), []byte(g.AuthorizedKey+"\n"), 0o600))
	if err != nil {
		return err
	}
	if err := showProgram(filepath.Join(papers, "init")); err != nil {
		return fmt.Errorf("show labctl to the guest: %w", err)
	}
	// The kernel looks after its helpers by the pids of this namespace.
	return mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// showProgram makes this program appear at path: itself where it still has a name here, else a copy. /proc/self/exe would not do,
// since it leads to the mount namespace that this process was started from, and a mount cannot come from another one.
func showProgram(path string) error {
	here, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer here.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer to.Close()
	name, _ := os.Readlink("/proc/self/exe")
	mine, _ := here.Stat()
	if named, err := os.Stat(name); err == nil && os.SameFile(mine, named) {
		return unix.Mount(name, path, "", unix.MS_BIND, "")
	}
	_, err = io.Copy(to, here)
	return err
}

// pin keeps the guest on one processor: where ptrace stops cross processors they cost up to ten times as much. Without gaps in
// its address space the kernel needs no page structs for them. hostfs keeps files open.
func (g *guest) pin() error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu, n := 0, g.CPU%max(all.Count(), 1); cpu < len(all)*64; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if n--; n < 0 {
			one.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("pin to a processor: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, noRandomize, 0, 0); errno != 0 {
		return fmt.Errorf("set personality: %w", errno)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	files.Cur = files.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
}

// arguments of the kernel. Its console is a pipe: epoll refuses plain files, and then the driver hangs and leaks descriptors.
// gro=1: this computer hands TCP over in frames of up to 64 KB, which the driver would cut off without.
func (g *guest) arguments() []string {
	args := []string{filepath.Join(g.Base, "reboot"), "mem=" + guestMemory, "uml_dir=" + g.Scratch, "umid=uml", "hostfs=" + g.dir,
		fmt.Sprintf("ubd0=/proc/self/fd/%d", guestDiskFD), "rootfstype=hostfs", "rootflags=/base", "ro", "init=/.labctl/init",
		"con=null", "con0=null,fd:1", "ssl=null", "printk.time=1", "panic=-1"}
	for i, l := range g.Links {
		args = append(args, fmt.Sprintf("vec%d:transport=tap,ifname=%s,mac=%s,mtu=%d,gro=1", i, tapName(l.Name), l.MAC, l.MTU))
	}
	args = append(args, fmt.Sprintf("vec%d:transport=tap,ifname=%s,mac=02:00:00:00:77:02,gro=1", len(g.Links), consoleTap))
	return append(args, "--", InitVerb, "guest-root")
}

// start starts the kernel. It must be called on the main thread, whose processor and personality it takes over.
func (g *guest) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	g.kernel = &exec.Cmd{Path: filepath.Join(g.Base, "linux"), Args: g.arguments(), Dir: "/", Stdout: w, Stderr: w, ExtraFiles: []*os.File{g.disk},
		Env:         []string{"TMPDIR=" + filepath.Join(g.Scratch, "memory"), "PATH=" + hostPath},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if err := g.kernel.Start(); err != nil {
		r.Close()
		return fmt.Errorf("start guest kernel: %w", err)
	}
	ended := make(chan error, 1)
	g.ended = ended
	g.tail = &ring{}
	go g.listen(r, g.tail) // helpers of a kernel that was killed may hold the pipe, so its end says nothing
	go func() { ended <- g.kernel.Wait() }()
	return nil
}

// listen reads the console until the kernel has gone, and keeps the last of it.
func (g *guest) listen(r *os.File, tail *ring) {
	defer r.Close()
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		tail.add(line)
		if strings.Contains(line, guestReady) && !g.ready.Swap(true) {
			close(g.up)
		}
		if err != nil {
			return
		}
	}
}

// run starts the kernel again whenever it has asked for that, and returns when it ends otherwise: an error unless it was switched
// off. It has asked, too, if it has said so: a signal that comes when it has taken itself apart may kill it before the end of that
// (unblock_signals in main, arch/um/os-Linux/main.c).
func (g *guest) run() error {
	for {
		err := <-g.ended
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		if exit.ExitCode() != guestReboot && !g.tail.has(guestRestarts) {
			return fmt.Errorf("%s%w\n%s", guestEnded(g.Name), err, g.tail.text())
		}
		reapHelpers()
		if err := g.start(); err != nil {
			return err
		}
	}
}

// reapHelpers ends what a kernel that has gone may have left: this is their PID 1.
func reapHelpers() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

// ring keeps the end of a text.
type ring struct {
	mu sync.Mutex
	b  []byte
}

func (r *ring) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.b = append(r.b, line...); len(r.b) > guestLog {
		r.b = r.b[len(r.b)-guestLog/2:]
	}
}

// all is the text when its writer has gone.
func (r *ring) all() string {
	time.Sleep(50 * time.Millisecond) // what was written last may still be in the pipe
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.b)
}

func (r *ring) has(text string) bool { return strings.Contains(r.all(), text) }

// text is the last lines, for an error.
func (r *ring) text() string {
	told, _, _ := strings.Cut(r.all(), "Kernel panic") // what follows is of the kernel's insides
	lines := strings.Split(strings.TrimSpace(told), "\n")
	return strings.Join(lines[max(len(lines)-guestLines, 0):], "\n")
}
