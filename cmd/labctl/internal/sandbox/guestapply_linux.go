package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// guestDisk is the size of a guest's disk; it takes what is written to it.
const guestDisk = 4 << 30

// useBase keeps what guests boot from in its place as long as this supervisor lives.
func (s *supervisor) useBase(base string) error {
	if base == "" || base == s.base {
		return nil
	}
	hold, err := holdBase(base, unix.LOCK_SH)
	if err != nil {
		return fmt.Errorf("use %s: %w", base, err)
	}
	if s.hold != nil {
		s.hold.Close()
	}
	s.base, s.hold = base, hold
	return nil
}

// prepare decides what a host that is to be started has to know, and makes a guest's disk if it has none from before.
func (s *supervisor) prepare(m machine) (spec, *os.File, error) {
	sp := s.spec(m)
	if !m.guest() {
		return sp, nil, nil
	}
	s.mu.Lock()
	sp.CPU = s.next
	s.next++
	disk := s.disks[m.Name]
	s.mu.Unlock()
	if disk != nil {
		return sp, disk, nil
	}
	disk, err := newDisk(filepath.Dir(s.base))
	if err != nil {
		return sp, nil, fmt.Errorf("make disk: %w", err)
	}
	s.mu.Lock()
	s.disks[m.Name] = disk
	s.mu.Unlock()
	return sp, disk, nil
}

// newDisk makes an empty disk without a name, so that it goes when nobody has it open any more.
func newDisk(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	disk := os.NewFile(uintptr(fd), "disk")
	if err := disk.Truncate(guestDisk); err != nil {
		disk.Close()
		return nil, err
	}
	cmd := exec.Command(sbinPath("mkfs.ext4"), "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", "/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{disk}
	if out, err := cmd.CombinedOutput(); err != nil {
		disk.Close()
		return nil, fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return disk, nil
}

// mendGuest mends a guest that runs.
func (s *supervisor) mendGuest(ctx context.Context, r *running, m machine, log logf) error {
	o := guestOrder{Links: m.Links}
	if r.spec.HostsFile != m.HostsFile {
		o.HostsFile = m.HostsFile
	}
	done, err := s.order(ctx, r, o)
	if err != nil {
		return err
	}
	if o.HostsFile != "" {
		r.spec.HostsFile = m.HostsFile
		log("%s: new /etc/hosts", m.Name)
	}
	for _, d := range done {
		log("%s: %s", m.Name, d)
	}
	return nil
}
