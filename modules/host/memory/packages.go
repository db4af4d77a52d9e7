package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"labctl/modules/host"
)

// packages is what has been changed here of the packages of the base.
type packages struct {
	versions map[string]*string // nil: removed
	updated  time.Time
	brought  bool // some have been installed, with who knows what in them
}

type hostPackages struct{ h *Host }

// Packages returns the packages of the base with what has been installed and removed here.
func (h *Host) Packages() host.Packages { return hostPackages{h} }

// from returns the package manager of the base, or that of a snapshot.
func (p hostPackages) from() host.Packages {
	if p.h.base != nil {
		return p.h.base.Packages()
	}
	return recordedPackages{p.h.seed}
}

func (p hostPackages) Installed(ctx context.Context, names []string) (map[string]string, error) {
	out, err := p.from().Installed(ctx, names)
	if err != nil {
		return nil, err
	}
	out = maps.Clone(out)
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	for _, n := range names {
		switch v, changed := p.h.packages.versions[n]; {
		case changed && v == nil:
			delete(out, n)
		case changed:
			out[n] = *v
		}
	}
	return out, nil
}

func (p hostPackages) Candidates(ctx context.Context, names []string) (map[string]string, error) {
	return p.from().Candidates(ctx, names)
}

func (p hostPackages) Updated(ctx context.Context) (time.Time, error) {
	if !p.h.packages.updated.IsZero() {
		return p.h.packages.updated, nil
	}
	return p.from().Updated(ctx)
}

// Change installs what the lists know. After lists have been fetched, which a plan does not do, it takes any name on trust.
func (p hostPackages) Change(ctx context.Context, c host.PackageChange) error {
	known, err := p.from().Candidates(ctx, append(slices.Clone(c.Install), c.Upgrade...))
	if err != nil {
		return err
	}
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	if c.Update {
		p.h.packages.updated = time.Now()
	}
	if p.h.packages.versions == nil {
		p.h.packages.versions = map[string]*string{}
	}
	p.h.packages.brought = p.h.packages.brought || len(c.Install) > 0
	for _, n := range append(slices.Clone(c.Install), c.Upgrade...) {
		v, ok := known[n]
		matches, _ := path.Match(c.Version, v)
		switch {
		case c.Version != "" && !matches:
			v = c.Version
		case !ok && p.h.packages.updated.IsZero():
			return &host.Error{Op: "install", Object: n, Kind: host.ErrNotExist, Err: errNoPackage}
		}
		p.h.packages.versions[n] = &v
	}
	for _, n := range c.Remove {
		p.h.packages.versions[n] = nil
	}
	p.h.wrote()
	return nil
}

var errNoPackage = errors.New("the package manager knows none of that name: update_cache = true fetches the newest lists")

// recordedPackages are those of a snapshot.
type recordedPackages struct{ s *host.Snapshot }

func (r recordedPackages) Installed(_ context.Context, names []string) (map[string]string, error) {
	if r.s.Packages == nil {
		return nil, &host.Error{Op: "list packages", Kind: host.ErrUnsupported, Err: fmt.Errorf("the snapshot has none: take it again with labctl facts")}
	}
	out := map[string]string{}
	for _, n := range names {
		if v, ok := r.s.Packages[n]; ok {
			out[n] = v
		}
	}
	return out, nil
}

// Candidates takes any name on trust: a snapshot has no lists.
func (recordedPackages) Candidates(_ context.Context, names []string) (map[string]string, error) {
	out := map[string]string{}
	for _, n := range names {
		out[n] = ""
	}
	return out, nil
}

func (recordedPackages) Updated(context.Context) (time.Time, error) { return time.Time{}, nil }

func (recordedPackages) Change(context.Context, host.PackageChange) error { return nil }
