package sandbox

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeKernel tells by its first console lines that it is up, as a guest is. A signal kills it when it has asked to be started
// again, and then it ends for good.
const fakeKernel = `#!/bin/sh
echo x >>BASE/starts
case $(wc -l <BASE/starts) in
1) echo "labctl: guest is up"; sleep 0.2; echo "[   1.0] reboot: Restarting system"; kill -SEGV $$ ;;
2) sleep 0.2; exec BASE/reboot ;;
3) echo "no root device"; sleep 0.2; exit 4 ;;
esac
`

// TestGuestEnds sees a guest start again whenever it has asked for that, however it came to its end, and say why it has gone
// otherwise.
func TestGuestEnds(t *testing.T) {
	needRoot(t)
	base, scratch, log := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), logFile)
	for name, text := range map[string]string{"linux": strings.ReplaceAll(fakeKernel, "BASE", base), "reboot": "#!/bin/sh\nexit 77\n"} {
		if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(base, "root", ".labctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(guestSpec{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	errs, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	real := os.Stderr
	os.Stderr = errs
	defer func() { os.Stderr = real }()
	r, _, err := startHost(context.Background(), newSpawner(), spec{Sandbox: "ends", Name: "g", Scratch: scratch, Guest: string(text)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.ns.Close()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		r.stop()
		t.Error("it does not end")
	}
	if starts, _ := os.ReadFile(filepath.Join(base, "starts")); len(starts) != 6 {
		t.Errorf("started %d times, want 3", len(starts)/2)
	}
	got := (&State{Dir: filepath.Dir(log)}).lastWords("g")
	if want := "\nhost \"g\": the guest kernel ended: exit status 4\nno root device"; got != want {
		all, _ := os.ReadFile(log)
		t.Errorf("last words %q, want %q, of %s", got, want, all)
	}
}
