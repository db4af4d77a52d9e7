package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labctl/cmd/labctl/internal/sandbox"
	"labctl/runner"
)

const lab13 = "../../playbooks/labs/13-router"

// The rules that lab 13's text asks for, as iptables -S prints them in the router, without the LOG rules.
const (
	lab13Filter = `-P INPUT DROP
-P FORWARD DROP
-P OUTPUT ACCEPT
-A FORWARD -i veth1 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -d 172.16.100.5/32 -i veth2 -p tcp -m tcp --dport 8800 -j ACCEPT
`
	lab13NAT = `-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-A PREROUTING -i veth2 -p tcp -m tcp --dport 8800 -j DNAT --to-destination 172.16.100.5:8800
-A POSTROUTING -o veth2 -j SNAT --to-source 172.16.200.1
`
)

// TestLab13Stages goes to every stage in order, then to stages at random, back and forth. Each play proves its stage by
// packets (the lab's own probes), and a second play of each stage changes nothing.
func TestLab13Stages(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	bringUp(t, lab13)
	stages := []int{0, 1, 2, 3, 4, 5, 6}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 6 {
		stages = append(stages, rnd.IntN(7))
	}
	for _, s := range stages {
		stage := fmt.Sprintf("stage=%d", s)
		events(t, 0, "play", "--sandbox", "--json", "-e", stage, lab13)
		for _, e := range events(t, 0, "play", "--sandbox", "--json", "-e", stage, lab13) {
			if e.Kind == runner.TaskDone && e.Status == runner.Changed {
				t.Errorf("stage %d, second play: %s changed: %+v", s, e.Task.Address, e.Diff)
			}
		}
	}
}

func TestLab13Rules(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	bringUp(t, lab13)
	events(t, 0, "play", "--sandbox", "--json", "-e", "log=false", lab13)
	for table, want := range map[string]string{"filter": lab13Filter, "nat": lab13NAT} {
		got := inSandbox(t, lab13, "localhost", "ip", "netns", "exec", "router", "iptables", "-t", table, "-S")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("table %s (-want +got):\n%s", table, diff)
		}
	}
	events(t, 0, "play", "--sandbox", "--json", lab13)
	for _, ns := range []string{"boxA", "router", "boxB"} {
		got := inSandbox(t, lab13, "localhost", "ip", "netns", "exec", ns, "iptables-save")
		if n := strings.Count(got, "-j LOG"); n != 16 {
			t.Errorf("%s has %d LOG rules, want 16 (14 places and two for ESTABLISHED)", ns, n)
		}
	}
}

// TestLab13LogOrder asserts the way of one packet through the chains at stage 1, by the kernel's log: the packet passes the
// router and ends in boxB before INPUT, because boxB has no way back to its source.
func TestLab13LogOrder(t *testing.T) {
	if !canSandbox(t) {
		return
	}
	const knob = "/proc/sys/net/netfilter/nf_log_all_netns"
	before, err := os.ReadFile(knob)
	if err != nil {
		t.Fatalf("the kernel cannot log from namespaces: %v", err)
	}
	if err := os.WriteFile(knob, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(knob, before, 0) })
	bringUp(t, lab13)
	events(t, 0, "play", "--sandbox", "--json", "-e", "stage=1", lab13)
	log := kernelLog(t, func() {
		_, _ = sandboxExec(lab13, "localhost", "ip", "netns", "exec", "boxA", "ping", "-c1", "-W1", "172.16.200.5")
	})
	var got []string
	ttls := map[string]bool{}
	for _, l := range log {
		_, text, _ := strings.Cut(l, ";")
		if place, packet, ok := strings.Cut(text, ":IN="); ok && strings.Contains(packet, "SRC=172.16.100.5 DST=172.16.200.5") {
			got = append(got, place)
			ttls[packet[strings.Index(packet, "TTL="):][:6]] = true
		}
	}
	want := []string{
		"boxA:OUTPUT:raw", "boxA:OUTPUT:mangle", "boxA:OUTPUT:nat", "boxA:OUTPUT:filter", "boxA:POSTROUTING:mangle", "boxA:POSTROUTING:nat",
		"router:PREROUTING:raw", "router:PREROUTING:mangle", "router:PREROUTING:nat", "router:FORWARD:mangle", "router:FORWARD:filter",
		"router:POSTROUTING:mangle", "router:POSTROUTING:nat",
		"boxB:PREROUTING:raw", "boxB:PREROUTING:mangle", "boxB:PREROUTING:nat",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the way of the packet (-want +got):\n%s\nlog:\n%s", diff, strings.Join(log, "\n"))
	}
	if !ttls["TTL=64"] || !ttls["TTL=63"] || len(ttls) != 2 {
		t.Errorf("TTLs seen: %v, want 64 before and 63 behind the router", ttls)
	}
}

// kernelLog returns the lines that the kernel logs while do runs (/dev/kmsg, Documentation/ABI/testing/dev-kmsg).
func kernelLog(t *testing.T, do func()) []string {
	t.Helper()
	fd, err := syscall.Open("/dev/kmsg", syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("open /dev/kmsg: %v", err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.Seek(fd, 0, io.SeekEnd); err != nil {
		t.Fatalf("seek /dev/kmsg: %v", err)
	}
	do()
	time.Sleep(100 * time.Millisecond)
	var lines []string
	buf := make([]byte, 8192)
	for {
		n, err := syscall.Read(fd, buf)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return lines
		case errors.Is(err, syscall.EPIPE): // overwritten before it was read: go on with what is left
		case err != nil:
			t.Fatalf("read /dev/kmsg: %v", err)
		default:
			lines = append(lines, string(buf[:n]))
		}
	}
}

// sandboxExec runs a command in a host of a site's sandbox.
func sandboxExec(site, host string, argv ...string) (string, error) {
	var out, errs bytes.Buffer
	code, err := sandbox.Exec(context.Background(), sandbox.DefaultDir, sandboxName(filepath.Clean(site)), host,
		sandbox.ExecOptions{Argv: argv, Stdout: &out, Stderr: &errs})
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit status %d: %s%s", strings.Join(argv, " "), code, out.String(), errs.String())
	}
	return out.String(), err
}

func inSandbox(t *testing.T, site, host string, argv ...string) string {
	t.Helper()
	out, err := sandboxExec(site, host, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
