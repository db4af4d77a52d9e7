package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Check reports everything that this computer lacks for a sandbox, at once, and how to get it.
func Check() error {
	var missing []error
	if os.Geteuid() != 0 {
		missing = append(missing, errNotRoot)
	}
	if _, err := findSSHD(); err != nil {
		missing = append(missing, err)
	}
	if !hasOverlay() {
		missing = append(missing, errors.New("this kernel has no overlay file system: modprobe overlay"))
	}
	for _, ns := range []string{"net", "mnt", "pid", "uts", "ipc"} {
		if _, err := os.Stat("/proc/self/ns/" + ns); err != nil {
			missing = append(missing, fmt.Errorf("this kernel has no %s namespaces", ns))
		}
	}
	return errors.Join(missing...)
}

func hasOverlay() bool {
	known := func() bool {
		text, _ := os.ReadFile("/proc/filesystems")
		return strings.Contains(string(text), "\toverlay\n")
	}
	if known() {
		return true
	}
	if os.Geteuid() == 0 {
		_ = exec.Command("modprobe", "overlay").Run()
	}
	return known()
}

// shareWith gives whoever called sudo the files that a client needs, and the way to them; the directory
// itself stays root's, so that nobody else decides what root reads there.
func shareWith(s *State) error {
	uid, err1 := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(os.Getenv("SUDO_GID"))
	if err1 != nil || err2 != nil || uid == 0 {
		return nil
	}
	err := errors.Join(os.Chown(s.Dir, 0, gid), os.Chmod(s.Dir, 0o750))
	for _, name := range []string{stateFile, knownHosts} {
		path := filepath.Join(s.Dir, name)
		err = errors.Join(err, os.Chown(path, 0, gid), os.Chmod(path, 0o640))
	}
	// ssh refuses a key that its user's group may read.
	return errors.Join(err, os.Chown(filepath.Join(s.Dir, identity), uid, gid))
}
