package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"labctl/runner"
)

const filesSite = twoBehindAJump + `
play "files" {
  hosts  = "h*"
  become = true
  get_url "/root/" {
    url      = "@BASE@/tool.tar.gz"
    checksum = "sha256:@SUM@"
    through  = "controller"
  }
  file "/root/tool/" {}
  unarchive "/root/tool.tar.gz" { dest = "/root/tool" }
  copy "/root/repository" { src = "repository" }
  git "/root/checkout" {
    repo    = "/root/repository"
    version = "main"
  }
  fetch "/root/tool/top/big" { dest = "fetched/" }
  fetch "/root/repository" { dest = "${host.name}.bundle" }
}
`

const shadowSite = twoBehindAJump + `
play "the same place" {
  hosts  = "h*"
  become = true
  fetch "/etc/shadow" { dest = "shadow" }
}
`

const dumpSite = twoBehindAJump + `
play "pings" {
  hosts  = "h*"
  become = true
  capture "all/pings" {
    dev  = "lo"
    pcap = "captures/"
    trigger {
      ping  = "127.0.0.9"
      count = 3
    }
    filter   = "icmp"
    deadline = "0s"
    packet {
      icmp  = "echo-request"
      count = host.name == "h1" ? "3" : "7"
    }
  }
}
`

// TestFilesThroughAJump brings files to hosts behind a jump host that can reach nothing but that, and from them.
func TestFilesThroughAJump(t *testing.T) {
	t.Parallel()
	if !canSandbox(t) {
		return
	}
	dir := writeSite(t, "")
	shell(t, dir, `mkdir top; echo it works >top/readme; head -c 3000000 /dev/urandom >top/big; tar -czf ../tool.tar.gz top
git init -q -b main r; cd r; echo 1 >f; git add f; git -c user.name=a -c user.email=a@b commit -qm one; git bundle create -q ../repository main; cd ..; rm -rf top r`)
	tool, err := os.ReadFile(filepath.Join(dir, "..", "tool.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(tool)
	}))
	defer s.Close()
	write := func(sum string) {
		site := strings.NewReplacer("@BASE@", s.URL, "@SUM@", sum).Replace(filesSite)
		if err := os.WriteFile(filepath.Join(dir, "site.hcl"), []byte(site), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Repeat("0", 64))
	st := bringUp(t, dir)
	sum := sha256.Sum256(tool)
	all := events(t, 2, "play", "--sandbox", "--json", "--limit", "h1", dir)
	if got := failure(all); !strings.Contains(got, fmt.Sprintf("download %s/tool.tar.gz: its checksum is sha256:%x, not sha256:0000", s.URL, sum)) {
		t.Errorf("with a wrong checksum: %s", got)
	}
	asked.Store(0)
	write(hex.EncodeToString(sum[:]))
	planned := events(t, 0, "plan", "--sandbox", "--json", dir)
	if n := asked.Load(); n != 0 {
		t.Errorf("a plan downloads %d times", n)
	}
	if p, q := changed(planned), changed(events(t, 0, "play", "--sandbox", "--json", dir)); p != 14 || q != p {
		t.Errorf("%d changes planned, %d made", p, q)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("for two hosts it is downloaded %d times", n)
	}
	if n := changed(events(t, 0, "play", "--sandbox", "--json", dir)); n != 0 {
		t.Errorf("a second play changes %d things", n)
	}
	if code, out, errs := labctl(t, "sandbox", "exec", "-s", st.Name, "h2", "--", "cat", "/root/tool/top/readme", "/root/checkout/f"); code != 0 || out != "it works\n1\n" {
		t.Errorf("exit code %d: %q\n%s", code, out, errs)
	}
	for _, h := range []string{"h1", "h2"} {
		shell(t, dir, "tar -xOzf ../tool.tar.gz top/big | cmp - fetched/"+h+"/root/tool/top/big; cmp repository "+h+".bundle; ! ls fetched/"+h+"/root/tool/top/.labctl*")
	}
	shell(t, dir, "echo >fetched/h2/root/tool/top/big")
	if n := changed(events(t, 0, "play", "--sandbox", "--json", dir)); n != 1 {
		t.Errorf("when one file is damaged, %d tasks change something", n)
	}
	shell(t, dir, "cmp fetched/h1/root/tool/top/big fetched/h2/root/tool/top/big")

	replace := func(site string) {
		if err := os.WriteFile(filepath.Join(dir, "site.hcl"), []byte(site), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(shadowSite)
	for verb, code := range map[string]int{"plan": 1, "play": 2} {
		if got := failure(events(t, code, verb, "--sandbox", "--json", dir)); !strings.Contains(got, "shadow is where the file of h") {
			t.Errorf("%s: two hosts bring one file: %q", verb, got)
		}
	}
	replace(dumpSite)
	all = events(t, 2, "verify", "--sandbox", "--json", dir)
	if got := failure(all); !strings.Contains(got, "expected 7 frames of packet[0]") {
		t.Errorf("a capture that fails: %q", got)
	}
	for _, h := range []string{"h1", "h2"} {
		out, err := exec.Command("tcpdump", "-nn", "-r", filepath.Join(dir, "captures", h, "all_pings.pcap")).CombinedOutput()
		if err != nil || strings.Count(string(out), "ICMP echo request") != 3 || strings.Count(string(out), "ICMP echo reply") != 3 {
			t.Errorf("capture of %s: %v\n%s", h, err, out)
		}
	}
}

// shell runs a script in a directory.
func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// changes counts the tasks that change something.
func changed(all []runner.Event) (n int) {
	for _, e := range all {
		if e.Kind == runner.TaskDone && e.Status == runner.Changed {
			n++
		}
	}
	return n
}

// failure is what the first task that fails says.
func failure(all []runner.Event) string {
	for _, e := range all {
		if e.Error != nil {
			return e.Error.Message
		}
	}
	return ""
}
