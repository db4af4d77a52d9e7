package linux

import (
	"cmp"
	"context"
	"encoding/hex"

	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"labctl/modules/codec"
	"labctl/modules/digest"
	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

// notices is host.Notices: a file for each, named by the hash of what it is about, so that no two agents have to agree on one.
type notices struct{ h *Host }

// Notices are those of the user that the agent runs as.
func (h *Host) Notices() host.Notices { return notices{h} }

// maxNotice bounds the file of a notice, in bytes.
const maxNotice = 64 << 10

// dir is where notices outlive a boot: $XDG_STATE_HOME if there is one, else /var/lib for root, and ~/.local/state.
func (notices) dir() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	switch {
	case filepath.IsAbs(state):
	case os.Geteuid() == 0:
		state = "/var/lib"
	default:
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local/state")
	}
	return filepath.Join(state, "labctl/pending"), nil
}

// others is the directory of the login user that root has come from with sudo. A plan runs as root where any task does, and must
// see what a task of that user has left.
func (n notices) others(ctx context.Context) (dir string, uid int) {
	name := os.Getenv("SUDO_USER")
	if os.Geteuid() != 0 || name == "" || name == "root" {
		return "", 0
	}
	entry, err := accounts.User(ctx, n.h.Files(), name)
	if err != nil || len(entry) < 6 || !filepath.IsAbs(entry[5]) {
		return "", 0
	}
	return filepath.Join(entry[5], ".local/state/labctl/pending"), accounts.Number(entry, 2)
}

func (n notices) List(ctx context.Context) ([]host.Notice, error) {
	dir, err := n.dir()
	if err != nil {
		return nil, err
	}
	out, err := listNotices(dir, os.Geteuid())
	if other, uid := n.others(ctx); other != "" && err == nil {
		more, _ := listNotices(other, uid) // of a stranger: what cannot be read is not there
		out = append(out, more...)
	}
	slices.SortFunc(out, func(a, b host.Notice) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(noticeFile(a.NoticeID), noticeFile(b.NoticeID)))
	})
	return out, err
}

func listNotices(dir string, uid int) (out []host.Notice, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError("read", dir, err)
	}
	for _, e := range entries {
		if n, ok := readNotice(filepath.Join(dir, e.Name()), uid); ok {
			out = append(out, n)
		}
	}
	return out, nil
}

// readNotice reads a notice, if it is a whole one of that user. It is found under its name only.
func readNotice(path string, uid int) (n host.Notice, ok bool) {
	if !strings.HasSuffix(path, ".json") {
		return n, false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return n, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxNotice {
		return n, false
	}
	if st, sys := info.Sys().(*syscall.Stat_t); !sys || int(st.Uid) != uid {
		return n, false
	}
	b := make([]byte, info.Size())
	if _, err := f.Read(b); err != nil || codec.Unmarshal(b, &n) != nil {
		return n, false
	}
	return n, filepath.Base(path) == noticeFile(n.NoticeID)
}

func noticeFile(id host.NoticeID) string {
	b := digest.Sum256([]byte(strings.Join([]string{id.Site, id.Play, id.Host, id.Role, id.Handler}, "\x00")))
	return hex.EncodeToString(b[:]) + ".json"
}

func (n notices) Keep(ctx context.Context, one host.Notice) error {
	dir, err := n.dir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fileError("make", dir, err)
	}
	b, err := codec.Marshal(one)
	if err != nil {
		return err
	}
	private := uint32(0o600)
	return n.h.Files().Write(ctx, filepath.Join(dir, noticeFile(one.NoticeID)), host.Content{Inline: b}, host.FileAttrs{Mode: &private})
}

// Drop is not waited for until it is on the disk: a handler that runs once more does less harm than one that never does.
func (n notices) Drop(ctx context.Context, id host.NoticeID) error {
	dir, err := n.dir()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, noticeFile(id))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError("remove", dir, err)
	}
	if other, uid := n.others(ctx); other != "" {
		path := filepath.Join(other, noticeFile(id))
		if _, ok := readNotice(path, uid); ok {
			return fileError("remove", path, os.Remove(path))
		}
	}
	return nil
}
