package modules

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// withFile returns a host that has only /f.
func withFile(content string) *memory.Host {
	return memory.FromSnapshot(&host.Snapshot{Files: map[string]host.FileState{
		"/f": {File: host.File{Type: host.RegularFile, Mode: 0o644}, Content: &content},
	}})
}

func apply(t *testing.T, h host.Host, module, params string, absent bool) (Result, error) {
	t.Helper()
	m, err := Default.Lookup(module)
	if err != nil {
		t.Fatal(err)
	}
	return m.Apply(context.Background(), h, Call{Module: module, Params: json.RawMessage(params), Absent: absent})
}

func TestLine(t *testing.T) {
	for _, tt := range []struct{ name, before, params, after string }{
		{"at the end", "a\n", `"line":"b"`, "a\nb\n"},
		{"end of last line missing", "a", `"line":"b"`, "a\nb\n"},
		{"empty file", "", `"line":"b"`, "b\n"},
		{"there already", "b\na", `"line":"b"`, "b\na"},
		{"CRLF is kept", "a\r\nb\r\n", `"line":"c"`, "a\r\nb\r\nc\r\n"},
		{"CRLF is no part of a line", "a\r\nb\r\n", `"line":"a"`, "a\r\nb\r\n"},
		{"last match is replaced", "k=1\nx\nk=2\n", `"line":"k=3","match":"^k="`, "k=1\nx\nk=3\n"},
		{"first match is replaced", "k=1\nx\nk=2\n", `"line":"k=3","match":"^k=","first_match":true`, "k=3\nx\nk=2\n"},
		{"no match, but equal", "k 3\nx\n", `"line":"k 3","match":"^k="`, "k 3\nx\n"},
		{"match selects another than the line", "#k\n#k\n", `"line":"k","match":"^#k"`, "#k\nk\n"},
		{"no match, nothing equal", "x\n", `"line":"k=3","match":"^k="`, "x\nk=3\n"},
		{"after", "a\nm1\nm2\nz\n", `"line":"b","insert_after":"^m"`, "a\nm1\nm2\nb\nz\n"},
		{"after the first", "a\nm1\nm2\nz\n", `"line":"b","insert_after":"^m","first_match":true`, "a\nm1\nb\nm2\nz\n"},
		{"after EOF", "a\n", `"line":"b","insert_after":"EOF"`, "a\nb\n"},
		{"after what is not there", "a\n", `"line":"b","insert_after":"^q"`, "a\nb\n"},
		{"before", "a\nm\nz\n", `"line":"b","insert_before":"^m"`, "a\nb\nm\nz\n"},
		{"before BOF", "a\n", `"line":"b","insert_before":"BOF"`, "b\na\n"},
		{"match wins over insert_before", "a\nk\n", `"line":"K","match":"^k$","insert_before":"^a"`, "a\nK\n"},
		{"removed", "a\nb\na\nc", `absent "line":"a"`, "b\nc"},
		{"removed by match", "a1\nb\na2\n", `absent "match":"^a"`, "b\n"},
		{"removed by both", "x\nb\na2\n", `absent "match":"^a","line":"x"`, "b\n"},
		{"nothing to remove", "b\n", `absent "match":"^a"`, "b\n"},
	} {
		params, absent := strings.CutPrefix(tt.params, "absent ")
		h := withFile(tt.before)
		r, err := apply(t, h, "line", `{"path":"/f",`+params+`}`, absent)
		got, _ := h.Files().Read(context.Background(), "/f", 1000)
		if err != nil || string(got) != tt.after {
			t.Errorf("%s: %q, %v, not %q", tt.name, got, err, tt.after)
		}
		if (r.Diff.Action == None) != (tt.before == tt.after) || (h.Writes() == 0) != (tt.before == tt.after) {
			t.Errorf("%s: %s with %d writes", tt.name, r.Diff.Action, h.Writes())
		}
		if again, err := apply(t, h, "line", `{"path":"/f",`+params+`}`, absent); err != nil || again.Diff.Action != None {
			t.Errorf("%s again: %+v, %v", tt.name, again.Diff, err)
		}
	}
}

func TestLineSaysWhatItReplaces(t *testing.T) {
	r, err := apply(t, withFile("#k no\n"), "line", `{"path":"/f","line":"k yes","match":"^#?k "}`, false)
	if err != nil || r.Diff.Action != Update || len(r.Diff.Changes) != 1 || r.Diff.Changes[0].Before != "#k no" || r.Diff.Changes[0].After != "k yes" {
		t.Errorf("%+v, %v", r.Diff, err)
	}
}

// TestFileArguments lists faults that are found before any host is touched.
func TestFileArguments(t *testing.T) {
	for _, tt := range []struct{ module, params, path, text string }{
		{"line", `{"path":"/f"}`, "line", "missing"},
		{"line", `{"path":"/f","line":"a\nb"}`, "line", "one line only"},
		{"line", `{"path":"/f","line":"a","match":"("}`, "match", "missing )"},
		{"line", `{"path":"/f","line":"a","insert_after":"x","insert_before":"y"}`, "insert_before", "insert_after"},
		{"line", `{"path":"f","line":"a"}`, "path", "not an absolute path"},
		{"file", `{"path":"~/x"}`, "path", "~ is not expanded"},
		{"file", `{"path":"/"}`, "path", "not managed"},
		{"file", `{"path":"/x","mode":"u+rwx"}`, "mode", "octal"},
		{"file", `{"path":"/x","mode":"0999"}`, "mode", "octal"},
		{"file", `{"path":"/x","type":"link"}`, "target", "needs a target"},
		{"file", `{"path":"/x","target":"y","mode":"0644"}`, "mode", "no permissions"},
		{"file", `{"path":"/x/","type":"file"}`, "type", "ends with /"},
		{"file", `{"path":"/x","type":"touch"}`, "type", "not one of"},
		{"file", `{"path":"/x","owner":"a:b"}`, "owner", "not a name"},
		{"copy", `{"dest":"/x"}`, "content", "needed"},
		{"copy", `{"dest":"/x/","content":"y"}`, "dest", "name the file"},
		{"copy", `{"dest":"/x","src":"d/"}`, "src", "directory"},
		{"copy", `{"dest":"/x","content":"y","sha256":"` + strings.Repeat("0", 64) + `"}`, "sha256", "not that of the content"},
		{"template", `{"dest":"/x","sha256":"abc"}`, "sha256", "not a SHA-256"},
	} {
		m, _ := Default.Lookup(tt.module)
		err := m.Check(Call{Module: tt.module, Params: json.RawMessage(tt.params)})
		var arg *ArgumentError
		if !errors.As(err, &arg) || arg.Path != tt.path || !strings.Contains(arg.Msg, tt.text) {
			t.Errorf("%s %s: %v", tt.module, tt.params, err)
		}
	}
	for _, params := range []string{`{"dest":"/x/","src":"a/b.conf"}`, `{"dest":"/x","src":"y"}`} {
		m, _ := Default.Lookup("copy")
		if err := m.Check(Call{Params: json.RawMessage(params)}); err != nil {
			t.Errorf("%s: %v", params, err)
		}
	}
}

func TestCopyShowsTextButNoSecrets(t *testing.T) {
	h := withFile("old\n")
	r, err := apply(t, h, "copy", `{"dest":"/f","content":"new\n","backup":true}`, false)
	if err != nil || len(r.Diff.Changes) != 1 || !r.Diff.Changes[0].Text || r.Diff.Changes[0].Before != "old\n" || r.Diff.Changes[0].After != "new\n" {
		t.Errorf("%+v, %v", r.Diff, err)
	}
	const key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
	for _, content := range []string{key, "plain\n", strings.Repeat("x", maxShown+1)} {
		b, _ := json.Marshal(map[string]any{"dest": "/f", "content": content})
		r, err := apply(t, h, "copy", string(b), false)
		out, _ := json.Marshal(r)
		if err != nil || r.Diff.Action != Update || strings.Contains(string(out), "AAAA") || len(out) > 1000 {
			t.Errorf("%.20q: %s, %v", content, out[:min(len(out), 500)], err)
		}
		if got, _ := h.Files().Read(context.Background(), "/f", 1<<20); string(got) != content {
			t.Errorf("it holds %.20q", got)
		}
	}
}
