package main

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCaptureBroughtHome checks that tcpdump reads what labctl writes while it goes on, and all of it when it is interrupted.
func TestCaptureBroughtHome(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	dir := writeSite(t, twoBehindAJump)
	st := bringUp(t, dir)
	if code, _, errs := labctl(t, "capture", "--site", dir, "h1", "lo", "-w", "-", "nonsense"); code != 1 || !strings.Contains(errs, `"nonsense" is not known`) {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := launch(t, "capture", "--sandbox", "--site", dir, "h1", "lo", "-w", "-", "icmp", "and", "host", "127.0.0.9")
		eventually(t, 20*time.Second, "capture", func() string {
			if p.out.Len() == 0 {
				return "nothing is written"
			}
			return ""
		})
		if code, _, errs := labctl(t, "sandbox", "exec", "-s", st.Name, "h1", "--", "ping", "-c", "5", "-i", "0.2", "127.0.0.9"); code != 0 {
			t.Fatalf("ping exits %d: %s", code, errs)
		}
		p.signal(s)
		if code := p.wait(10 * time.Second); code != 0 {
			t.Errorf("%v: exit code %d\n%s", s, code, p.err.String())
		}
		if !strings.Contains(p.err.String(), "10 frames, 0 dropped") {
			t.Errorf("%v: it says %q", s, p.err.String())
		}
		c := exec.Command("tcpdump", "-nn", "-r", "-")
		c.Stdin = bytes.NewReader([]byte(p.out.String()))
		out, err := c.CombinedOutput()
		if err != nil || strings.Count(string(out), "ICMP echo request") != 5 || strings.Count(string(out), "ICMP echo reply") != 5 {
			t.Errorf("%v: tcpdump: %v\n%s", s, err, out)
		}
	}
}
