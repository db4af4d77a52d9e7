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

// What an agent may weigh, in bytes, as it lies on a machine and as it travels there. OpenSSH lets 2 MiB of a push go
// before it wants to be answered, and a link of 1 Mbit/s takes 15 seconds for 1.9 MB. A third of what lies there is the tables
// that Go needs to walk a stack, which pack well: what travels is the limit that counts.
const (
	maxAgent  = 6_500_000
	maxPacked = 1_900_000
)

// TestAgentSize builds and packs the agents as they are shipped.
func TestAgentSize(t *testing.T) {
	dir := t.TempDir()
	run(t, nil, "go", "run", "./runner/agentbin/pack", "-o", dir)
	agents, err := filepath.Glob(filepath.Join(dir, agentbin.FileName("*")))
	if err != nil || len(agents) < 5 {
		t.Fatalf("packed only %q: %v", agents, err)
	}
	for _, path := range agents {
		t.Run(filepath.Base(path), func(t *testing.T) {
			size, packed := agentSize(t, path)
			t.Logf("%d bytes, %d packed", size, packed)
			if size > maxAgent {
				t.Errorf("%d bytes; at most %d, which is what a machine without xz and gzip is sent, and what a router has to "+
					"store. See in cmd/labctl-agent/deps.txt what has come in", size, maxAgent)
			}
			if packed > maxPacked {
				t.Errorf("%d bytes packed; at most %d, so that a push stays well inside SSH's first window of 2 MiB, and slow "+
					"links bear it. See in cmd/labctl-agent/deps.txt what has come in; without the program xz (Debian: xz-utils) "+
					"an agent is packed a fifth larger", packed, maxPacked)
			}
		})
	}
}

func agentSize(t *testing.T, path string) (size, packed int64) {
	t.Helper()
	line, err := os.ReadFile(agentbin.HeaderName(path))
	if err != nil {
		t.Fatal(err)
	}
	h, err := agentbin.ParseHeader(string(line))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return h.Size, info.Size()
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
