package linux

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// fileStates are calls on a handful of paths that get in each other's way. DIR is the directory of the test.
var fileStates = []string{
	`file {"path":"DIR/d/","mode":"0750"}`,
	`file {"path":"DIR/d/","mode":"1777"}`,
	`file {"path":"DIR/d/e/f","type":"directory"}`,
	`file {"path":"DIR/d","recursive":true} absent`,
	`file {"path":"DIR/d"} absent`,
	`file {"path":"DIR/d","type":"file","force":true,"recursive":true}`,
	`file {"path":"DIR/x","type":"file","mode":"0600"}`,
	`file {"path":"DIR/x","type":"link","target":"d","force":true,"recursive":true}`,
	`file {"path":"DIR/x","type":"link","target":"d/y"}`,
	`file {"path":"DIR/x"} absent`,
	`file {"path":"DIR/x","mode":"0640"}`,
	`file {"path":"DIR/x/","mode":"0711"}`,
	`copy {"dest":"DIR/x","content":"one\n"}`,
	`copy {"dest":"DIR/x","content":"one\ntwo\n","mode":"0600"}`,
	`copy {"dest":"DIR/x","content":"three","force":false}`,
	`copy {"dest":"DIR/d/y","content":"y\n","owner":"0"}`,
	`copy {"dest":"DIR/d/y","content":"-----BEGIN PRIVATE KEY-----\n"}`,
	`copy {"dest":"DIR/d/y"} absent`,
	`template {"dest":"DIR/x","content":"rendered\n","src":"x.tpl"}`,
	`line {"path":"DIR/x","line":"new"}`,
	`line {"path":"DIR/x","line":"first","insert_before":"BOF","create":true,"mode":"0644"}`,
	`line {"path":"DIR/x","line":"two and a half","match":"^two"}`,
	`line {"path":"DIR/x","match":"^t"} absent`,
	`line {"path":"DIR/d/y","line":"y","insert_after":"^z"}`,
}

func fileCall(t *testing.T, state, dir string) modules.Call {
	t.Helper()
	name, params, _ := strings.Cut(strings.ReplaceAll(state, "DIR", dir), " ")
	params, absent := strings.CutSuffix(params, " absent")
	if !json.Valid([]byte(params)) {
		t.Fatalf("bad state %s", state)
	}
	return modules.Call{Module: name, Params: json.RawMessage(params), Absent: absent}
}

// TestFileModules walks from any state to any state: what the plan says, on a copy made now as on one that has seen the whole
// walk, is what happens, be it a change or a refusal; and a second time there is nothing to do.
func TestFileModules(t *testing.T) {
	needRoot(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	ctx, h, dir := context.Background(), New(), t.TempDir()
	walked := memory.New(h)
	done := 0
	for range 600 {
		state := fileStates[rnd.IntN(len(fileStates))]
		call := fileCall(t, state, dir)
		m, err := modules.Default.Lookup(call.Module)
		if err != nil {
			t.Fatal(err)
		}
		planned, planErr := m.Apply(ctx, memory.New(h), call)
		modelled, modelErr := m.Apply(ctx, walked, call)
		applied, err := m.Apply(ctx, h, call)
		if text(planErr) != text(err) || text(modelErr) != text(err) {
			t.Fatalf("%s\nplan:  %v\nmodel: %v\nhost:  %v", state, planErr, modelErr, err)
		}
		if err != nil {
			continue
		}
		done++
		if !reflect.DeepEqual(planned.Diff, applied.Diff) || !reflect.DeepEqual(modelled.Diff, applied.Diff) {
			t.Fatalf("%s\nplan:  %+v\nmodel: %+v\nhost:  %+v", state, planned.Diff, modelled.Diff, applied.Diff)
		}
		if again, err := m.Apply(ctx, h, call); err != nil || again.Diff.Action != modules.None {
			t.Fatalf("%s again: %+v, %v", state, again.Diff, err)
		}
		mustAgree(t, walked, h, dir)
	}
	if done < 200 {
		t.Errorf("only %d calls were not refused", done)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// mustAgree compares the model's files below dir with the real ones.
func mustAgree(t *testing.T, model, real host.Host, dir string) {
	t.Helper()
	ctx := context.Background()
	for _, p := range []string{"", "d", "d/e", "d/e/f", "d/y", "x"} {
		p = filepath.Join(dir, p)
		a, aErr := model.Files().Stat(ctx, p, true)
		b, bErr := real.Files().Stat(ctx, p, true)
		if a.Type == host.Directory {
			a.Size, b.Size = 0, 0
		}
		if text(aErr) != text(bErr) || !reflect.DeepEqual(a, b) {
			t.Fatalf("%s\nmodel: %+v, %v\nhost:  %+v, %v", p, a, aErr, b, bErr)
		}
		names, _ := model.Files().List(ctx, p)
		if real, _ := real.Files().List(ctx, p); len(real)+len(names) > 0 && !reflect.DeepEqual(names, real) {
			t.Fatalf("%s lists %v, not %v", p, names, real)
		}
	}
}

// TestSnapshotOfFiles plans against a snapshot, with links on the way to what was recorded.
func TestSnapshotOfFiles(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	_ = os.MkdirAll(filepath.Join(dir, "real"), 0o755)
	_ = os.Symlink("real", filepath.Join(dir, "link"))
	_ = os.WriteFile(filepath.Join(dir, "real", "x"), []byte("one\n"), 0o644)
	h := freshHost(t)
	s, err := memory.Snapshot(ctx, h, "h", []string{filepath.Join(dir, "link", "x"), filepath.Join(dir, "none", "y")})
	if err != nil {
		t.Fatal(err)
	}
	f := memory.FromSnapshot(s).Files()
	if b, err := f.Read(ctx, filepath.Join(dir, "link", "x"), 100); err != nil || string(b) != "one\n" {
		t.Errorf("read: %q, %v", b, err)
	}
	if _, err := f.Stat(ctx, filepath.Join(dir, "none", "y"), false); text(err) != "stat "+filepath.Join(dir, "none", "y")+": no such file or directory" {
		t.Errorf("stat of what was absent: %v", err)
	}
	if _, err := f.Stat(ctx, filepath.Join(dir, "other"), false); !strings.Contains(text(err), "labctl facts HOST --file") {
		t.Errorf("stat of what was not recorded: %v", err)
	}
}
