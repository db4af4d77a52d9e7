package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// guestCache is where what guests boot from is kept, one directory for every version of it.
const guestCache = "/var/cache/labctl/guest"

// guestSpace is what the set-up needs while it runs; a third of that stays.
const guestSpace = 3 << 30

//go:embed guestroot.sh
var guestRecipe string

// guestTools are the programs that guests and their set-up need, and the packages that have them.
var guestTools = [][2]string{{"linux.uml", "user-mode-linux"}, {"mkfs.ext4", "e2fsprogs"}}

var setupTools = [][2]string{{"mmdebstrap", "mmdebstrap"}, {"gcc", "gcc"}, {"make", "make"}, {"flex", "flex"}, {"bison", "bison"},
	{"bc", "bc"}, {"xz", "xz-utils"}, {"depmod", "kmod"}, {"bash", "bash"}, {"dpkg-deb", "dpkg"}, {"apt-get", "apt"}}

// CheckGuest reports everything that this computer lacks for guests with a kernel of their own, at once, and how to get it.
func CheckGuest() error {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "386" {
		return fmt.Errorf("guests are User-mode Linux, which is made for amd64 and i386 only; this computer is %s", runtime.GOARCH)
	}
	tools := guestTools
	if _, err := os.Stat(guestBase()); err != nil {
		tools = slices.Concat(guestTools, setupTools)
		if _, err := os.Stat("/usr/include/stdio.h"); err != nil {
			tools = append(tools, [2]string{"the C headers", "libc6-dev"})
		}
	}
	var programs, packages []string
	for _, t := range tools {
		if sbinPath(t[0]) == "" {
			programs, packages = append(programs, t[0]), append(packages, t[1])
		}
	}
	if len(programs) == 0 {
		return nil
	}
	return fmt.Errorf("guests need %s, which this computer lacks: apt-get install --no-install-recommends %s",
		strings.Join(programs, ", "), strings.Join(packages, " "))
}

// sbinPath finds a program as root would: not every PATH has sbin.
func sbinPath(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH") + ":" + hostPath) {
		if file := filepath.Join(dir, name); filepath.IsAbs(file) && isFile(file) {
			return file
		}
	}
	return ""
}

// guestBase is the directory of what guests of this version of labctl boot from on this computer, there or not.
func guestBase() string {
	kernel, _ := exec.Command("linux.uml", "--version").Output()
	osRelease, _ := os.ReadFile("/etc/os-release")
	sum := sha256.Sum256(slices.Concat([]byte(guestRecipe), kernel, osRelease))
	return filepath.Join(guestCache, fmt.Sprintf("%s-%x", strings.TrimSpace(string(kernel)), sum[:4]))
}

// guestRelease is the kernel's version, from the name of the directory.
func guestRelease(base string) string {
	release, _, _ := strings.Cut(filepath.Base(base), "-")
	return release
}

// SetupGuest builds what guests boot from, unless it is there, and returns its directory. It takes minutes and about a gigabyte, and
// downloads packages from this computer's own sources.
func SetupGuest(ctx context.Context, log func(string)) (base string, err error) {
	if os.Geteuid() != 0 {
		return "", errNotRoot
	}
	if err := CheckGuest(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(guestCache, 0o700); err != nil {
		return "", fmt.Errorf("create cache: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(guestCache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("lock cache: %w", err)
	}
	defer lock.Close()
	if err := flock(ctx, lock); err != nil {
		return "", fmt.Errorf("lock cache: %w", err)
	}
	base = guestBase()
	if _, err := os.Stat(base); err == nil {
		return base, nil
	}
	if err := dropOldBases(); err != nil {
		return "", err
	}
	if err := freeSpace(guestCache, guestSpace); err != nil {
		return "", err
	}
	log("guest kernel: setting up " + base + ", once, a few minutes")
	if err := buildBase(ctx, base, log); err != nil {
		return "", fmt.Errorf("set up guest kernel: %w", err)
	}
	if text, err := os.ReadFile(filepath.Join(base, "lacks")); err == nil {
		log("guest kernel: warning: it lacks " + strings.TrimSpace(string(text)) + "; see " + filepath.Join(base, "log"))
	}
	return base, nil
}

// freeSpace reports whether the file system of dir has that many bytes left.
func freeSpace(dir string, need uint64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("ask for free space in %s: %w", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < need {
		return fmt.Errorf("%s has %d MB left, and the guests' set-up takes %d MB", dir, free>>20, need>>20)
	}
	return nil
}

// buildBase runs the recipe and gives its result the name that it will be found by, last of all.
func buildBase(ctx context.Context, base string, log func(string)) error {
	fresh, work := base+".new", base+".work"
	for _, dir := range []string{fresh, work} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	defer os.RemoveAll(work)
	suite, sources, err := aptSources(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(fresh, "log")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, "bash", "-c", guestRecipe)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":"+hostPath, "OUT="+fresh, "WORK="+work, "SUITE="+suite)
	cmd.Stdin, cmd.Stderr = strings.NewReader(sources), file
	cmd.Dir = "/"
	if err := progress(cmd, func(l string) { log("guest kernel: " + l) }); err != nil {
		return fmt.Errorf("%w\n%s", err, tail(path, 12))
	}
	return os.Rename(fresh, base)
}

// progress runs a command and hands its output on line by line.
func progress(cmd *exec.Cmd, line func(string)) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		line(s.Text())
	}
	return cmd.Wait()
}

// tail returns the last lines of a file.
func tail(path string, lines int) string {
	text, _ := os.ReadFile(path)
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(len(all)-lines, 0):], []byte("\n")))
}

// dropOldBases removes what earlier versions have built and no guest uses.
func dropOldBases() error {
	entries, err := os.ReadDir(guestCache)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(guestCache, e.Name())
		if !e.IsDir() {
			continue
		}
		held, err := holdBase(path, unix.LOCK_EX)
		if err != nil {
			continue
		}
		err = os.RemoveAll(path)
		held.Close()
		if err != nil {
			return fmt.Errorf("remove old set-up: %w", err)
		}
	}
	return nil
}

// holdBase locks a base until the file is closed: shared by those who boot from it, exclusively by who removes it.
func holdBase(base string, how int) (*os.File, error) {
	f, err := os.Open(base)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// aptSources are the sources of the distribution itself that this computer's apt has, and the name of its release. Sources of
// others are left out: guests need nothing of them, and they may be out of reach.
func aptSources(ctx context.Context) (suite, list string, err error) {
	id, suite := osRelease("ID"), osRelease("VERSION_CODENAME")
	if suite == "" {
		return "", "", errors.New("/etc/os-release names no release: guests are made from the packages of Debian or Ubuntu")
	}
	for range 2 {
		cmd := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
		out, err := cmd.Output()
		if err != nil {
			return "", "", fmt.Errorf("ask apt for its sources: %w", err)
		}
		if list = sourceLines(string(out), id, suite); list != "" {
			return suite, list, nil
		}
		// Without lists apt does not know whose a source is.
		if out, err := exec.CommandContext(ctx, "apt-get", "-q", "update").CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("apt-get update: %w\n%s", err, bytes.TrimSpace(out))
		}
	}
	return "", "", fmt.Errorf("apt has no source of %s %s", id, suite)
}

// sourceLines turns apt's targets into sources of the distribution called id.
func sourceLines(targets, id, suite string) string {
	var out []string
	for line := range strings.Lines(targets) {
		f := strings.Fields(line)
		if len(f) != 4 || !strings.EqualFold(f[0], id) || f[2] != suite && !strings.HasPrefix(f[2], suite+"-") {
			continue
		}
		if l := fmt.Sprintf("deb %s %s %s\n", f[1], f[2], f[3]); !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "")
}

// osRelease is a field of os-release(5).
func osRelease(name string) string {
	text, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}
