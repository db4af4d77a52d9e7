package transporttest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ForbidExec has the kernel refuse, with EPERM, to execute what lies on the file systems of dirs, as seen by the server, if
// forbidden says so of its first bytes. It is how fapolicyd works, and what a machine with SELinux or AppArmor looks like
// to who is forbidden something. The file systems should be the server's own. It takes root.
func (s *SSHD) ForbidExec(t testing.TB, forbidden func(head []byte) bool, dirs ...string) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC, unix.O_RDONLY|unix.O_LARGEFILE)
	if err != nil {
		t.Fatalf("fanotify_init: %v", err)
	}
	for _, dir := range dirs {
		path := filepath.Join(fmt.Sprintf("/proc/%d/root", s.PID), dir)
		if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_OPEN_EXEC_PERM, unix.AT_FDCWD, path); err != nil {
			t.Fatalf("fanotify_mark %s: %v", path, err)
		}
	}
	// A poller would not be told of the end; what is not answered when the group is closed is allowed.
	stop, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		answerExecs(fd, int(stop.Fd()), forbidden)
	}()
	t.Cleanup(func() {
		_ = end.Close()
		<-done
		_ = unix.Close(fd)
		_ = stop.Close()
	})
}

// answerExecs answers until stop ends.
func answerExecs(fd, stop int, forbidden func(head []byte) bool) {
	buf := make([]byte, 4096)
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, -1); err != nil && err != unix.EINTR {
			return
		}
		if polled[1].Revents != 0 {
			return
		}
		n, err := unix.Read(fd, buf)
		if err != nil {
			continue
		}
		for b := buf[:n]; len(b) >= unix.FAN_EVENT_METADATA_LEN; {
			event := (*unix.FanotifyEventMetadata)(unsafe.Pointer(&b[0]))
			answer := unix.FanotifyResponse{Fd: event.Fd, Response: unix.FAN_ALLOW}
			head := make([]byte, 4)
			k, _ := unix.Pread(int(event.Fd), head, 0)
			if forbidden(head[:max(k, 0)]) {
				answer.Response = unix.FAN_DENY
			}
			out := binary.NativeEndian.AppendUint32(nil, uint32(answer.Fd))
			_, _ = unix.Write(fd, binary.NativeEndian.AppendUint32(out, answer.Response))
			_ = unix.Close(int(event.Fd))
			b = b[event.Event_len:]
		}
	}
}
