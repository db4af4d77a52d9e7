package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestStripDocs(t *testing.T) {
	const source = "package p\n\nvar s = Spec{Name: \"n\", Doc: \"What \\\"it\\\" is.\", Example: `a\nb\n`, Other: `doc:\"x\"`}\n\n" +
		"type T struct {\n\tA int `json:\"a\" doc:\"An \\\"a\\\".\" lab:\"key\"`\n\tB int\n}\n"
	const want = "package p\n\nvar s = Spec{Name: \"n\", Doc: \"-\", Example: \n\n\"-\", Other: `doc:\"x\"`}\n\n" +
		"type T struct {\n\tA int `json:\"a\" doc:\"-\" lab:\"key\"`\n\tB int\n}\n"
	got, err := stripDocs([]byte(source))
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if _, err := stripDocs([]byte("package")); err == nil {
		t.Error("no Go, and no error")
	}
}

// TestAgentHasNoManual: what is left out is really not there, nothing else is, and the agent runs.
func TestAgentHasNoManual(t *testing.T) {
	overlay, err := withoutDocs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(overlay)
	if err != nil || !strings.Contains(string(content), "/modules/bridge.go\":") {
		t.Fatalf("%s: %v", content, err)
	}
	agent, err := build(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	for text, there := range map[string]bool{"left alone if unset": false, "Manages a Linux bridge": false, "the other end is missing": true} {
		if strings.Contains(string(agent), text) != there {
			t.Errorf("%q is in the agent: %t, want %t", text, !there, there)
		}
	}
	if runtime.GOOS != "linux" {
		return // where no agent runs
	}
	path := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(path, agent, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path).CombinedOutput(); err != nil {
		t.Errorf("the agent, asked for nothing: %v\n%s", err, out)
	}
}
