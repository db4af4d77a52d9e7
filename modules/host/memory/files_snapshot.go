package memory

import (
	"context"
	"errors"
	"path"
	"syscall"
	"unicode/utf8"

	"labctl/modules/host"
)

// maxRecorded is the size up to which the content of a text file is part of a snapshot.
const maxRecorded = 64 << 10

// load takes the files of a snapshot as all that is known.
func (s *files) load(recorded map[string]host.FileState) {
	for p, r := range recorded {
		n := &node{File: r.File, gone: r.Type == host.Absent}
		if r.Type == host.RegularFile {
			n.content = &host.Content{SHA256: r.SHA256, Size: r.Size}
			if r.Content != nil {
				b := []byte(*r.Content)
				n.content = &host.Content{Inline: b, SHA256: hash(b), Size: int64(len(b))}
			}
		}
		s.put(path.Clean(p), n)
	}
}

// recordFiles describes paths for a snapshot, with the directories and symbolic links on the way to them; what does not
// exist is recorded as absent.
func recordFiles(ctx context.Context, h host.Host, paths []string) (map[string]host.FileState, error) {
	out := map[string]host.FileState{}
	for _, p := range paths {
		if err := record(ctx, h.Files(), out, path.Clean(p), 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// record adds p, after all that is above it, and what p points to when it is a link.
func record(ctx context.Context, f host.Files, out map[string]host.FileState, p string, links int) error {
	if _, done := out[p]; done || p == "/" {
		return nil
	}
	if links > maxLinks {
		return fail("record", p, syscall.ELOOP)
	}
	if err := record(ctx, f, out, path.Dir(p), links); err != nil {
		return err
	}
	above := out[path.Dir(p)]
	if above.Type == host.SymbolicLink { // recorded where the link leads to
		return record(ctx, f, out, path.Join(target(above.File), path.Base(p)), links+1)
	}
	st, err := f.Stat(ctx, p, true)
	if errors.Is(err, host.ErrNotExist) || above.Type == host.Absent {
		out[p] = host.FileState{File: host.File{Path: p, Type: host.Absent}}
		return nil
	}
	if err != nil {
		return err
	}
	state := host.FileState{File: st}
	if st.Type == host.RegularFile && st.Size <= maxRecorded {
		b, err := f.Read(ctx, p, maxRecorded)
		if err != nil {
			return err
		}
		if utf8.Valid(b) {
			text := string(b)
			state.Content = &text
		}
	}
	out[p] = state
	if st.Type == host.SymbolicLink {
		return record(ctx, f, out, target(st), links+1)
	}
	return nil
}

func target(link host.File) string {
	if path.IsAbs(link.Target) {
		return path.Clean(link.Target)
	}
	return path.Join(path.Dir(link.Path), link.Target)
}
