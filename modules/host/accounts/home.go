package accounts

import (
	"context"
	"strconv"

	"labctl/modules/host"
)

// handOver gives what is at path, and all below it, that has the user's number, or that of its own group, the new ones, as
// usermod(8) does with the home.
func (e Editor) handOver(ctx context.Context, path string, before, after []string) error {
	st, err := e.Files.Stat(ctx, path, false)
	if err != nil {
		return err
	}
	var a host.FileAttrs
	if strconv.Itoa(st.UID) == before[ID] && after[ID] != before[ID] {
		a.Owner = after[ID]
	}
	if strconv.Itoa(st.GID) == before[GID] && after[GID] != before[GID] {
		a.Group = after[GID]
	}
	if a != (host.FileAttrs{}) {
		if err := e.Files.SetAttrs(ctx, path, a); err != nil {
			return err
		}
	}
	if st.Type != host.Directory {
		return nil
	}
	names, err := e.Files.List(ctx, path)
	for _, name := range names {
		if err := e.handOver(ctx, path+"/"+name, before, after); err != nil {
			return err
		}
	}
	return err
}
