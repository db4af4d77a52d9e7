package linux

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/modules/host"
)

func TestNoticesOutliveTheAgentAndArePrivate(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	t.Setenv("XDG_STATE_HOME", state)
	ctx := context.Background()
	n := New().Notices()
	if list, err := n.List(ctx); len(list) > 0 || err != nil {
		t.Fatalf("at first: %v, %v", list, err)
	}
	first := host.Notice{NoticeID: host.NoticeID{Site: "s", Play: "p", Host: "h", Role: "web[a]", Handler: "restart"}, Since: 8, Failed: "copy./a"}
	second := first
	second.Role, second.Since = "web[b]", 7
	for _, one := range []host.Notice{first, second, first} {
		if err := n.Keep(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(state, "labctl/pending")
	for _, path := range []string{dir, filepath.Join(dir, noticeFile(first.NoticeID))} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	// What is not whole, not under its name, or no file, is not there.
	for name, text := range map[string]string{"half.json": `{"site":`, strings.Repeat("a", 64) + ".json": `{"site":"s"}`, ".labctl-x": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(noticeFile(first.NoticeID), filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	list, err := New().Notices().List(ctx)
	if got, want := fmt.Sprint(list), fmt.Sprint([]host.Notice{second, first}); err != nil || got != want {
		t.Errorf("kept %s, %v; want %s", got, err, want)
	}
	for range 2 {
		if err := n.Drop(ctx, first.NoticeID); err != nil {
			t.Error(err)
		}
	}
	if list, err := n.List(ctx); len(list) != 1 || err != nil {
		t.Errorf("after one was dropped: %v, %v", list, err)
	}
}

func TestNoticesHaveAPlaceForEachUser(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "relative")
	want := "/var/lib/labctl/pending"
	if os.Geteuid() != 0 {
		t.Setenv("HOME", "/home/ada")
		want = "/home/ada/.local/state/labctl/pending"
	}
	if dir, err := (notices{}).dir(); dir != want || err != nil {
		t.Errorf("%s, %v; want %s", dir, err, want)
	}
}
