package modules

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		`ip link show`:                {"ip", "link", "show"},
		`  a  "b c" 'd $e' f\ g "" `:  {"a", "b c", "d $e", "f g", ""},
		`a "b\"c\d" 'e\f'`:            {"a", `b"c\d`, `e\f`},
		`ovs-vsctl set bridge b x=[]`: {"ovs-vsctl", "set", "bridge", "b", "x=[]"},
	} {
		if got, err := words(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{"", " ", "a | b", "a; b", "a > b", "echo $HOME", "a `b`", `"a`, `a\`, "ls *"} {
		if got, err := words(line); err == nil {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// scripted is a host whose commands and probes answer as told.
type scripted struct {
	host.Host
	host.Probes
	run   host.ExecResult
	pings []host.PingResult
	tcp   []error
	asked int
}

// scriptedNet is its only network namespace.
type scriptedNet struct {
	host.Net
	s *scripted
}

func (n scriptedNet) Probes() host.Probes { return n.s }

func (s *scripted) Net(context.Context, string) (host.Net, error) { return scriptedNet{s: s}, nil }
func (s *scripted) Commands() host.Commands                       { return s }
func (s *scripted) Files() host.Files                             { return memory.FromSnapshot(&host.Snapshot{}).Files() }

func (s *scripted) Check(ctx context.Context, e host.Exec) (host.ExecResult, error) {
	return s.Run(ctx, e)
}

func (s *scripted) Run(context.Context, host.Exec) (host.ExecResult, error) { return s.run, nil }

func (s *scripted) Ping(context.Context, string, host.PingOptions) (host.PingResult, error) {
	s.asked++
	return s.pings[min(s.asked, len(s.pings))-1], nil
}

func (s *scripted) TCP(context.Context, string, host.PingOptions) error {
	s.asked++
	return s.tcp[min(s.asked, len(s.tcp))-1]
}

func (s *scripted) HTTP(context.Context, string, time.Duration) (int, []byte, error) {
	return 200, []byte("Welcome"), nil
}

func TestCommandTellsItsEnd(t *testing.T) {
	h := &scripted{run: host.ExecResult{Stdout: []byte("out\n"), Stderr: []byte("why\n"), Status: 2}}
	r, err := apply(t, h, "command", `{"name":"x","shell":"exit 1","environment":{"A":"secret"}}`, false)
	var state CommandLine
	_ = json.Unmarshal(r.State, &state)
	if err == nil || err.Error() != "exit status 2: why" || state.Stdout != "out" || *state.RC != 2 || strings.Contains(string(r.State), "secret") {
		t.Errorf("%s, %v", r.State, err)
	}
	if r.Diff.Action != Run {
		t.Errorf("%+v", r.Diff)
	}
}

// TestShellIsTheScript: HCL makes a text of shell = true, which would run true(1) and leave the label's command out.
func TestShellIsTheScript(t *testing.T) {
	_, err := apply(t, &scripted{}, "command", `{"name":"make | tee log","shell":"true"}`, false)
	if err == nil || !strings.Contains(err.Error(), "the script itself") {
		t.Errorf("%v", err)
	}
}

func TestCommandIsPlannedNotRun(t *testing.T) {
	h := withFile("")
	for params, want := range map[string]Action{
		`{"name":"make x"}`: Run, `{"name":"make x","creates":"/f"}`: None, `{"name":"rm x","removes":"/f"}`: Run,
	} {
		if r, err := apply(t, h, "command", params, false); err != nil || r.Diff.Action != want {
			t.Errorf("%s: %+v, %v", params, r.Diff, err)
		}
	}
}

func TestPingJudges(t *testing.T) {
	answered, lost := host.PingResult{Sent: 1, Received: 1, RTT: time.Millisecond}, host.PingResult{Sent: 1}
	refused := host.PingResult{Unreachable: "network is unreachable (no route)"}
	for _, tt := range []struct {
		params string
		seen   []host.PingResult
		err    string
	}{
		{`{"address":"a"}`, []host.PingResult{lost, refused, answered}, ""},
		{`{"address":"172.16.200.5","netns":"boxA","deadline":"0s"}`, []host.PingResult{refused},
			"ping 172.16.200.5 from netns boxA: expected reachable, but network is unreachable (no route)"},
		{`{"address":"a","deadline":"0s"}`, []host.PingResult{lost}, "no answer to 1 packet(s), and no ICMP error either"},
		{`{"address":"a","deadline":"0s","count":3}`, []host.PingResult{{Sent: 3, Received: 2}}, "only 2 of 3 packets were answered"},
		{`{"address":"a","expect":"loss","deadline":"0s"}`, []host.PingResult{lost}, ""},
		{`{"address":"a","expect":"loss","deadline":"0s"}`, []host.PingResult{refused}, "expected loss, but network is unreachable"},
		{`{"address":"a","expect":"unreachable"}`, []host.PingResult{lost, refused}, ""},
		{`{"address":"a","expect":"unreachable","deadline":"0s"}`, []host.PingResult{lost}, "expected unreachable, but no answer"},
		{`{"address":"a","expect":"fail","deadline":"0s"}`, []host.PingResult{answered}, "expected fail, but it answers"},
		{`{"address":"a","expect":"fail"}`, []host.PingResult{refused}, ""},
		{`{"address":"a","deadline":"120ms"}`, []host.PingResult{lost}, "(tried 2 times in"},
	} {
		_, err := apply(t, &scripted{pings: tt.seen}, "ping", tt.params, false)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", tt.params, err)
		}
	}
}

func TestTCPJudges(t *testing.T) {
	refused := &host.Error{Op: "connect to", Object: "a:1", Kind: host.ErrRefused}
	for _, tt := range []struct {
		params string
		seen   []error
		err    string
	}{
		{`{"address":"a:1"}`, []error{refused, nil}, ""},
		{`{"address":"a:1","deadline":"0s"}`, []error{refused}, "connect to a:1: expected open, but connection refused"},
		{`{"address":"a:1","expect":"refused","deadline":"0s"}`, []error{nil}, "expected refused, but it answers"},
		{`{"address":"a:1","expect":"fail"}`, []error{refused}, ""},
		{`{"address":"a:1"}`, []error{fmt.Errorf("resolve a: no")}, "resolve a: no"},
	} {
		_, err := apply(t, &scripted{tcp: tt.seen}, "tcp", tt.params, false)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", tt.params, err)
		}
	}
}

func TestHTTPJudges(t *testing.T) {
	for params, want := range map[string]string{
		`"status":200,"body_contains":"come"`: "", `"expect":"fail","deadline":"0s"`: "expected it to fail, but it answers with status 200",
		`"status":404,"deadline":"0s"`: "expected status 404, but it is 200", `"body_contains":"x","deadline":"0s"`: `contains "x", but it is "Welcome"`,
		`"expect":"refused","deadline":"0s"`: "expected refused, but it answers",
	} {
		_, err := apply(t, &scripted{}, "http", `{"url":"http://a/",`+params+`}`, false)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", params, err)
		}
	}
}
