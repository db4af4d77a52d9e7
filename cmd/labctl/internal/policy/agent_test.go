package policy

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/runner/agentbin"
)

var update = flag.Bool("update", false, "rewrite cmd/labctl-agent/deps.txt")

// What the agent may weigh, in bytes. It is sent to every machine once, and 1.4 MB fit into the 2 MiB that SSH lets
// go before the first answer.
const (
	maxAgent  = 3_800_000
	maxPacked = 1_400_000
)

func TestAgentSize(t *testing.T) {
	dir := t.TempDir()
	run(t, nil, "go", "run", "./runner/agentbin/pack", "-o", dir, "amd64")
	gz, err := os.ReadFile(filepath.Join(dir, agentbin.FileName("amd64")))
	if err != nil {
		t.Fatal(err)
	}
	size := agentSize(t, gz)
	t.Logf("agent: %d bytes, %d packed", size, len(gz))
	if size > maxAgent || len(gz) > maxPacked {
		t.Errorf("agent: %d bytes, %d packed; at most %d, %d: see in cmd/labctl-agent/deps.txt what has come in",
			size, len(gz), maxAgent, maxPacked)
	}
}

// TestAgentDeps keeps the list of what the agent links in the repository, so that its growth is seen in review.
func TestAgentDeps(t *testing.T) {
	path := filepath.Join(root(), "cmd/labctl-agent/deps.txt")
	var got bytes.Buffer
	for _, p := range list(t, []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"}, "-deps", "./cmd/labctl-agent") {
		if p.Standard && strings.Contains("/"+p.ImportPath+"/", "/internal/") || strings.HasPrefix(p.ImportPath, "vendor/") {
			continue // the standard library's own affair, another with every Go
		}
		got.WriteString(p.ImportPath + "\n")
		for _, bad := range []string{hcl, cty, xcrypto + "/ssh", "net/http", "text/template", "regexp"} {
			if within(p.ImportPath, bad) {
				t.Errorf("the agent links %s: it must stay small, and knows nothing of HCL or SSH", p.ImportPath)
			}
		}
	}
	sorted := sortLines(got.String())
	if *update {
		if err := os.WriteFile(path, []byte(sorted), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sorted != string(want) {
		t.Errorf("the agent links other packages than cmd/labctl-agent/deps.txt says:\n%s\n"+
			"If that is meant, run: go test ./cmd/labctl/internal/policy -run TestAgentDeps -update", lineDiff(string(want), sorted))
	}
}
