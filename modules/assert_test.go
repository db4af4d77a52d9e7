package modules

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

func TestSayingAndWaitingReject(t *testing.T) {
	rejected(t, "assert", map[string]string{`{"name":"a"}`: "that", `{"name":"a","that":[]}`: "that", `{"that":[true]}`: "name"})
	rejected(t, "debug", map[string]string{`{"name":"a","msg":"b","var":1}`: "var"})
	rejected(t, "stat", map[string]string{`{"path":"a"}`: "path"})
	rejected(t, "wait_for_connection", map[string]string{`{"name":"a","delay":"x"}`: "delay", `{"name":"a","sleep":"-1s"}`: "sleep"})
	rejected(t, "reboot", map[string]string{`{"name":"a","timeout":"1"}`: "timeout", `{"command":"x"}`: "name"})
	rejected(t, "wait_for", map[string]string{`{"name":"a"}`: "port", `{"name":"a","port":0}`: "port", `{"name":"a","port":1,"path":"/a"}`: "path", `{"name":"a","port":1,"text":"x"}`: "text",
		`{"name":"a","path":"b"}`: "path", `{"name":"a","path":"/b","state":"drained"}`: "path", `{"name":"a","path":"/b","netns":"x"}`: "path", `{"name":"a","port":1,"address":"a b"}`: "address",
		`{"name":"a","port":1,"address":"::1","state":"drained"}`: "address", `{"name":"a","port":1,"timeout":"soon"}`: "timeout", `{"name":"a","port":1,"delay":"x"}`: "delay", `{"name":"a","port":1,"state":"up"}`: "state"})
}

// TestModelledIsMadeInAPlan checks that what a model knows is looked at in a plan, and that it is no change.
func TestModelledIsMadeInAPlan(t *testing.T) {
	real := memory.FromSnapshot(&host.Snapshot{Files: map[string]host.FileState{"/": {File: host.File{Path: "/", Type: host.Directory, Mode: 0o755}},
		"/a": {File: host.File{Path: "/a", Type: host.Absent}}, "/l": {File: host.File{Path: "/l", Type: host.Absent}}, "/b": {File: host.File{Path: "/b", Type: host.Absent}}}})
	h := memory.New(real)
	for _, c := range []struct{ module, params, state string }{
		{"debug", `{"name":"hello"}`, `{"name":"hello","msg":"hello"}`},
		{"debug", `{"name":"x","var":{"a":[1,null]}}`, `{"name":"x","var":{"a":[1,null]}}`},
		{"assert", `{"name":"x","that":[true]}`, `{"name":"x","that":[true]}`},
		{"stat", `{"path":"/a"}`, `{"path":"/a","exists":false}`},
		{"file", `{"path":"/a","type":"directory","mode":"0700"}`, ""},
		{"stat", `{"path":"/a"}`, `{"path":"/a","exists":true,"type":"directory","mode":"0700"}`},
		{"file", `{"path":"/l","type":"link","target":"/b"}`, ""},
		{"stat", `{"path":"/l"}`, `{"path":"/l","exists":true,"type":"link","mode":"0777","target":"/b"}`},
		{"stat", `{"path":"/l","follow":true}`, `{"path":"/l","follow":true,"exists":false}`},
	} {
		r, err := apply(t, h, c.module, c.params, false)
		if err != nil || r.Unknown || c.state != "" && (string(r.State) != c.state || r.Diff.Action != None) {
			t.Errorf("%s %s: %s %s %t %v", c.module, c.params, r.Diff.Action, r.State, r.Unknown, err)
		}
	}
	var ae *ArgumentError
	_, err := apply(t, h, "assert", `{"name":"the sky","that":[true,false]}`, false)
	if !errors.As(err, &ae) || ae.Path != "that[1]" || !strings.Contains(ae.Msg, "the sky") {
		t.Errorf("%v", err)
	}
	if _, err := apply(t, h, "assert", `{"name":"x","that":[false],"fail_msg":"why"}`, false); !errors.As(err, &ae) || ae.Msg != "why" {
		t.Errorf("%v", err)
	}
	if r, err := apply(t, h, "wait_for", `{"name":"x","port":1}`, false); err != nil || r.Diff.Action != Read || !r.Unknown {
		t.Errorf("wait_for: %+v, %v", r, err)
	}
}

func TestPatience(t *testing.T) {
	for _, c := range []struct {
		module, params string
		want           *Patience
	}{
		{"debug", `{"name":"a"}`, nil},
		{"reboot", `{"name":"a"}`, &Patience{Sleep: time.Second, Timeout: 10 * time.Minute, Restart: true}},
		{"wait_for_connection", `{"name":"a","delay":"30s","sleep":"10s","timeout":"1h"}`, &Patience{Delay: 30 * time.Second, Sleep: 10 * time.Second, Timeout: time.Hour}},
	} {
		got := Default[c.module].Patience(Call{Module: c.module, Params: json.RawMessage(c.params)})
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s %s: %+v, want %+v", c.module, c.params, got, c.want)
		}
	}
}
