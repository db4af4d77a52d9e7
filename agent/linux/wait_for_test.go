package linux

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// waitFor runs the module and returns how long it took, with what went wrong.
func waitFor(t *testing.T, h *Host, params string) (time.Duration, string) {
	t.Helper()
	m, err := modules.Default.Lookup("wait_for")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = m.Apply(ctxOf(t), h, modules.Call{Module: "wait_for", Params: json.RawMessage(`{"name":"it","timeout":"5s",` + params + "}")})
	if err != nil {
		return time.Since(start), err.Error()
	}
	return time.Since(start), ""
}

func TestWaitForFiles(t *testing.T) {
	h, file := freshHost(t), t.TempDir()+"/file"
	path := fmt.Sprintf(`"path":%q`, file)
	write := func(text string) {
		time.AfterFunc(120*time.Millisecond, func() { _ = os.WriteFile(file, []byte(text), 0o600) })
	}
	for _, c := range []struct {
		params string
		do     func()
		waits  bool
		fault  string
	}{
		{path + `,"state":"absent"`, func() {}, false, ""},
		{path, func() { write("a") }, true, ""},
		{path, func() {}, false, ""},
		{path + `,"text":"b"`, func() { write("a b\n") }, true, ""},
		{path + `,"text":"b","state":"absent"`, func() { write("a") }, true, ""},
		{path + `,"text":"b","timeout":"100ms"`, func() {}, false, `does not contain "b"`},
		{path + `,"state":"absent"`, func() { time.AfterFunc(120*time.Millisecond, func() { _ = os.Remove(file) }) }, true, ""},
		{path + `,"timeout":"0s"`, func() {}, false, "is not there"},
		{`"path":"/etc/passwd/x","timeout":"2s"`, func() {}, false, "not a directory"},
	} {
		c.do()
		took, fault := waitFor(t, h, c.params)
		if !strings.Contains(fault, c.fault) || c.fault == "" && fault != "" || c.waits != (took > 100*time.Millisecond) || took > 4*time.Second {
			t.Errorf("%s: %q after %s, want %q", c.params, fault, took, c.fault)
		}
	}
}

func TestWaitForPorts(t *testing.T) {
	h := freshLab(t)
	start := func() {
		if err := h.Processes().Start(ctxOf(t), host.Process{Name: "r", NetNS: "far", Responder: &host.Responder{Port: 8800, Status: 200}}); err != nil {
			t.Error(err)
		}
	}
	if took, fault := waitFor(t, h, `"port":8800,"netns":"far","delay":"120ms","state":"stopped"`); fault != "" || took < 120*time.Millisecond {
		t.Errorf("%q after %s", fault, took)
	}
	if _, fault := waitFor(t, h, `"port":8800,"netns":"far","timeout":"0s"`); fault != "port 127.0.0.1:8800 is not open: refused" {
		t.Error(fault)
	}
	start()
	for _, p := range []string{`"port":8800,"netns":"far"`, `"port":8800,"address":"10.0.2.2"`, `"port":8800,"netns":"far","address":"::1"`} {
		if _, fault := waitFor(t, h, p); fault != "" {
			t.Errorf("%s: %s", p, fault)
		}
	}
	if _, fault := waitFor(t, h, `"port":8800,"netns":"far","state":"stopped","timeout":"100ms"`); !strings.HasPrefix(fault, "port 127.0.0.1:8800 is open (tried ") {
		t.Error(fault)
	}
	drains(t, h)
}

// drains has a connection that stands until it is reset.
func drains(t *testing.T, h *Host) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 0, 2, 2}, Port: 8800}); err != nil {
		t.Fatal(err)
	}
	drained := `"port":8800,"netns":"far","state":"drained"`
	if _, fault := waitFor(t, h, drained+`,"timeout":"100ms"`); !strings.HasPrefix(fault, "port 8800 has 1 connections") {
		t.Error(fault)
	}
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // no TIME_WAIT
	time.AfterFunc(120*time.Millisecond, func() { _ = unix.Close(fd) })
	if took, fault := waitFor(t, h, drained); fault != "" || took < 100*time.Millisecond {
		t.Errorf("%q after %s", fault, took)
	}
}
