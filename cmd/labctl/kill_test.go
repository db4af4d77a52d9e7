package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"labctl/runner"
)

// changing is a play all of whose tasks change with gen, in every subsystem; the copies are large enough to travel by hash.
const changing = twoBehindAJump + `
variable "gen" { default = 0 }
locals {
  even = var.gen % 2 == 0
}
play "p" {
  hosts  = "h*"
  become = true

  netns "lab" {}
  bridge "br${var.gen % 3}" {}
  bridge "br${(var.gen + 1) % 3}" { ensure = "absent" }
  veth "v0" {
    peer       = "v1"
    peer_netns = "lab"
    mtu        = local.even ? 1400 : 1450
    master     = "br${var.gen % 3}"
  }
  address "br${var.gen % 3}" {
    cidr      = ["10.9.${var.gen % 200}.1/24", "fd00:9:${var.gen % 200}::1/64"]
    exclusive = true
  }
  copy "/srv/large" { src = local.even ? "even.bin" : "odd.bin" }
  sysctl "net.ipv4.ip_forward" {
    value   = local.even ? 1 : 0
    persist = "/etc/sysctl.d/90-test.conf"
  }
  iptables_chain "TEST" {
    exclusive = true
    dynamic "rule" {
      for_each = range(20)
      content {
        protocol         = "tcp"
        destination_port = tostring(1000 + rule.value + var.gen % 7)
        jump             = "ACCEPT"
      }
    }
  }
  iptables_rule "INPUT" {
    for_each    = toset(["1", "2", "3"])
    source      = "10.${each.key}.${var.gen % 200}.0/24"
    jump        = "TEST"
  }
  file "/srv/dir/" {}
  copy "/srv/dir/f${each.key}" {
    for_each = toset(["1", "2", "3", "4", "5"])
    content  = "generation ${var.gen}\n"
  }
  line "/srv/dir/lines" {
    for_each = toset(["1", "2", "3", "4", "5"])
    create   = true
    match    = "^line ${each.key} "
    line     = "line ${each.key} of ${var.gen}"
  }
  command "count" {
    argv    = ["sh", "-c", "sleep 0.05; echo ${var.gen} > /srv/dir/count-${var.gen}"]
    creates = "/srv/dir/count-${var.gen}"
  }
  copy "/srv/last" { content = "generation ${var.gen}\n" }
}`

// TestKilledPlaysConverge kills labctl, or the agent of a host, at random moments of a play. The next play converges, the one
// after it changes nothing, and nothing is left on the hosts. LABCTL_TEST_KILLS says how often.
func TestKilledPlaysConverge(t *testing.T) {
	t.Parallel()
	if !canSandbox(t) {
		return
	}
	rounds := 12
	if n, err := strconv.Atoi(os.Getenv("LABCTL_TEST_KILLS")); err == nil {
		rounds = n
	}
	dir := writeSite(t, changing)
	large := map[string][]byte{"even.bin": bytes.Repeat([]byte("even\x00"), 100_000), "odd.bin": bytes.Repeat([]byte("\x00odd"), 150_000)}
	for name, text := range large {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bringUp(t, dir)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	start := time.Now()
	converge(t, dir, 0)
	took := time.Since(start) / 3
	for gen := 1; gen <= rounds; gen++ {
		if rnd.IntN(3) == 0 { // the agent has to be pushed again
			inSandbox(t, dir, "h1", "rm", "-rf", "/root/.cache/labctl")
		}
		p := launch(t, "play", "--sandbox", "-e", genArg(gen), dir)
		delay := time.Duration(rnd.Int64N(int64(took)))
		time.Sleep(delay)
		victim := []string{"labctl", "h1", "h2"}[rnd.IntN(3)]
		if victim == "labctl" {
			p.signal(syscall.SIGKILL)
		} else {
			_, _ = sandboxExec(dir, victim, "pkill", "-KILL", "-f", "^[^ ]*"+anAgent) // there may be none yet, or any more
		}
		code := p.wait(30 * time.Second)
		t.Logf("generation %d: killed %s after %s, exit code %d", gen, victim, delay.Round(time.Millisecond), code)
		if victim != "labctl" && code != 0 && code != exitUnreachable {
			t.Errorf("exit code %d\n%s%s", code, p.out.String(), p.err.String())
		}
		for _, h := range []string{"h1", "h2"} {
			eventually(t, 5*time.Second, "agents on "+h, func() string { return running(dir, h, anAgent) })
			whole(t, dir, h, large)
		}
		converge(t, dir, gen)
		for _, h := range []string{"h1", "h2"} {
			clean(t, dir, h)
		}
		if t.Failed() {
			return
		}
	}
}

func genArg(gen int) string { return fmt.Sprintf("gen=%d", gen) }

// converge plays twice; the second play has nothing to do.
func converge(t *testing.T, dir string, gen int) {
	t.Helper()
	events(t, 0, "play", "--sandbox", "--json", "-e", genArg(gen), dir)
	for _, e := range events(t, 0, "play", "--sandbox", "--json", "-e", genArg(gen), dir) {
		if e.Kind == runner.TaskDone && e.Status == runner.Changed {
			t.Errorf("second play: %s on %s changed: %+v", e.Task.Address, e.Host, e.Diff)
		}
	}
}

// whole checks that files are as they were or as they shall be, not something in between.
func whole(t *testing.T, dir, host string, large map[string][]byte) {
	t.Helper()
	got := []byte(inSandbox(t, dir, host, "cat", "/srv/large"))
	if !bytes.Equal(got, large["even.bin"]) && !bytes.Equal(got, large["odd.bin"]) {
		t.Errorf("/srv/large on %s is neither the old file nor the new one, but %d bytes", host, len(got))
	}
	for _, l := range strings.Split(strings.TrimSpace(inSandbox(t, dir, host, "sh", "-c", "cat /srv/dir/f? /srv/last")), "\n") {
		if !strings.HasPrefix(l, "generation ") {
			t.Errorf("a file on %s holds %q", host, l)
		}
	}
}

// clean checks that no temporary file is left on a host.
func clean(t *testing.T, dir, host string) {
	t.Helper()
	left := inSandbox(t, dir, host, "find", "/root", "/home", "/etc", "/srv", "/tmp", "/var/tmp", "/run", "-xdev",
		"(", "-name", ".labctl-*", "-o", "-name", "blobs-*", "-o", "-name", ".push-*", "-o", "-name", ".put-*", "-o", "-name", ".probe-*", ")")
	if left = strings.TrimSpace(left); left != "" {
		t.Errorf("left on %s:\n%s", host, left)
	}
}
