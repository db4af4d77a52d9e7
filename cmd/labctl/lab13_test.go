package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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
	t.Parallel()
	if !canSandbox(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "lab13")
	if err := os.CopyFS(dir, os.DirFS(lab13)); err != nil {
		t.Fatal(err)
	}
	bringUp(t, dir)
	stages := []int{0, 1, 2, 3, 4, 5, 6}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 6 {
		stages = append(stages, rnd.IntN(7))
	}
	for _, s := range stages {
		stage := fmt.Sprintf("stage=%d", s)
		events(t, 0, "play", "--sandbox", "--json", "-e", stage, dir)
		for _, e := range events(t, 0, "play", "--sandbox", "--json", "-e", stage, dir) {
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
