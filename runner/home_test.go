package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/agent/wire"
	"labctl/playbooks"
)

func part(text string) *wire.Part {
	return &wire.Part{Data: []byte(text)}
}

// TestParcel puts a file in place when all of it has come, and else leaves what was there.
func TestParcel(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "new", "file")
	sum := sha256.Sum256([]byte("onetwo"))
	bring := func(parts ...*wire.Part) error {
		x := &hostPlay{sent: []flight{{step: playbooks.Step{Work: &playbooks.Work{Home: at}}}}}
		for _, p := range parts {
			x.part(p)
		}
		return x.unpacked()
	}
	whole := &wire.Part{Whole: hex.EncodeToString(sum[:])}
	if err := bring(part("one"), part("two"), whole); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(at); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(at, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := bring(part("one"), part("two"), whole); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(at); info.Mode() != 0o644 {
		t.Errorf("its mode has become %v", info.Mode())
	}
	if err := bring(part("three")); err != nil { // the task fails for a reason of its own
		t.Error(err)
	}
	if err := bring(part("three"), whole); err == nil || !strings.Contains(err.Error(), "has the SHA-256") {
		t.Errorf("damaged: %v", err)
	}
	if b, _ := os.ReadFile(at); string(b) != "onetwo" {
		t.Errorf("there is %q", b)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "new", ".*")); len(names) != 0 {
		t.Errorf("left behind: %q", names)
	}
	at = filepath.Join(at, "below")
	if err := bring(part("one"), part("two"), whole); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("no place: %v", err)
	}
}
