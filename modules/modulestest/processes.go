package modulestest

import (
	"context"
	"fmt"
	"strings"

	"labctl/modules/host"
)

// Processes returns the suites of the modules that keep processes running.
func Processes() []Suite {
	return []Suite{
		{Module: "process", Compare: compareProcesses, Setup: makeBoxes, States: states("process",
			`{"name":"p 1","argv":["sleep","1000"]}`, `{"name":"p 1","command":"sleep '1001'"}`, `{"name":"p 1","argv":["sleep","1000"],"netns":"boxA"}`,
			`{"name":"p 1","argv":["sleep","1000"],"netns":"boxB","environment":{"A":"1"},"chdir":"@DIR@","stdout":"@DIR@/out","pid_file":"@DIR@/pid"}`,
			`{"name":"p 1","argv":["sleep","1000"],"user":"daemon","environment":{}}`,
			`{"name":"p 1","argv":["busybox","httpd","-f","-p","8801"],"netns":"boxA","port":8801}`),
			Rejects: []Reject{{`{"name":"a/b","argv":["x"]}`, "name"}, {`{"name":".a","argv":["x"]}`, "name"}, {`{"name":"a"}`, "argv"}, {`{"name":"a","argv":[]}`, "argv"},
				{`{"name":"a","argv":["x"],"command":"x"}`, "command"}, {`{"name":"a","command":"x | y"}`, "command"}, {`{"name":"a","argv":["x"],"chdir":"x"}`, "chdir"},
				{`{"name":"a","argv":["x"],"stdout":"x"}`, "stdout"}, {`{"name":"a","argv":["x"],"pid_file":"x"}`, "pid_file"}, {`{"name":"a","argv":["x"],"port":0}`, "port"},
				{`{"name":"a","argv":["x"],"wait":"x"}`, "wait"}, {`{"name":"a","argv":["x"],"environment":{"A=":""}}`, "environment"}}},
		{Module: "http_responder", Compare: compareProcesses, Setup: makeBoxes, States: states("http_responder",
			`{"name":"hello","port":8800,"netns":"boxA","body":"Hello!"}`, `{"name":"hello","port":8800,"netns":"boxB"}`,
			`{"name":"hello","port":8801,"netns":"boxB","address":"127.0.0.1","status":404,"body":"<p>&\n"}`, `{"name":"hello","port":8800,"netns":"boxA","address":"::"}`),
			Rejects: []Reject{{`{"name":"a/b","port":1}`, "name"}, {`{"name":"a"}`, "port"}, {`{"name":"a","port":70000}`, "port"}, {`{"name":"a","port":1,"status":99}`, "status"},
				{`{"name":"a","port":1,"address":"x"}`, "address"}, {`{"name":"a","port":1,"body":"` + strings.Repeat("x", 65537) + `"}`, "body"}}},
	}
}

// makeBoxes makes two namespaces whose loopback is up.
func makeBoxes(ctx context.Context, h host.Host, _ string) error {
	for _, name := range []string{"boxA", "boxB"} {
		if err := h.NetNS().Create(ctx, name); err != nil {
			return err
		}
		n, err := h.Net(ctx, name)
		if err != nil {
			return err
		}
		up := true
		if err := n.Links().Set(ctx, host.Link{Name: "lo", Up: &up}); err != nil {
			return err
		}
	}
	return nil
}

// compareProcesses says how the processes of a model differ from those of its host, but for their numbers.
func compareProcesses(ctx context.Context, model, real host.Host) string {
	text := func(h host.Host) string {
		all, err := h.Processes().List(ctx)
		if err != nil {
			return err.Error()
		}
		for i := range all {
			all[i].PID = 0
		}
		return jsonOf(all)
	}
	if a, b := text(model), text(real); a != b {
		return fmt.Sprintf("model: %s\nhost:  %s", a, b)
	}
	return ""
}
