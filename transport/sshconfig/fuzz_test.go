package sshconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever stands in a file, the answer is a setting or an error, soon. Commands are not run: nothing with exec is tried.
func FuzzSSHConfig(f *testing.F) {
	for text := range strings.SplitSeq(cases, "----\n") {
		f.Add(text, "web1")
	}
	path := filepath.Join(f.TempDir(), "config")
	f.Fuzz(func(t *testing.T, text, host string) {
		low := strings.ToLower(text)
		if strings.Contains(low, "exec") || strings.Contains(low, "include") || strings.Contains(low, "canonical") {
			return // it would reach outside
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err != nil {
			return
		}
		_, _ = c.Target(host)
	})
}
