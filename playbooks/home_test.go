package playbooks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/modules"
)

// TestBringsHome names the file that a task brings home, wherever the host would have it go.
func TestBringsHome(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ task, want, have string }{
		{`fetch "/etc/hosts" { dest = "fetched/" }`, "fetched/a/etc/hosts", ""},
		{`fetch "/etc/../../../x/./hosts" { dest = "fetched/" }`, "fetched/a/x/hosts", ""},
		{`fetch "/etc/hosts" { dest = "${host.name}.txt" }`, "a.txt", ""},
		{`fetch "/etc/hosts" { dest = "there" }`, "there", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"},
		{`fetch "/etc/hosts" { dest = "~/x" }`, "home/x", ""},
		{`capture "in/out" {
    dev  = "lo"
    pcap = "captures/"
  }`, "captures/a/in_out.pcap", ""},
		{`capture "x" { dev = "lo" }`, "", ""},
	} {
		site, diags := LoadSources(dir, []Source{{filepath.Join(dir, "site.hcl"), []byte("host \"a\" {}\nplay \"p\" {\n  hosts = \"a\"\n  " + tt.task + "\n}\n")}},
			Options{Registry: modules.Default, Environ: []string{"HOME=" + filepath.Join(dir, "home")}})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		hosts, _ := site.Plays()[0].Hosts("")
		steps, _, diags := site.Plays()[0].Start(hosts[0], Env{}).Next()
		if diags.HasErrors() || len(steps) != 1 {
			t.Fatal(diags)
		}
		var params struct{ Have, Dest, PCAP string }
		_ = json.Unmarshal(steps[0].Call.Params, &params)
		if got := strings.TrimPrefix(steps[0].Home, dir+"/"); got != tt.want || params.Have != tt.have || params.Dest+params.PCAP != steps[0].Home {
			t.Errorf("%s: home is %q, params %s", tt.task, got, steps[0].Call.Params)
		}
		if paths := site.Plays()[0].Paths(hosts[0]); len(paths) > 1 || len(paths) == 1 && !strings.HasSuffix(paths[0], "hosts") {
			t.Errorf("%s: files of the host are %q", tt.task, paths)
		}
	}
}
