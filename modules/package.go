package modules

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Package]{
		Name: "package", Slow: true,
		Doc: "Installs packages with the machine's own package manager: apt, dnf, zypper or apk. Several of one task are one transaction. Where they are installed nothing but " +
			"the reading is done.",
		Example: `package "nginx" {}
package "tools for the lab" {
  names              = ["tcpdump", "iperf3"]
  install_recommends = false
  update_cache       = true
  cache_valid_time   = "24h"
}
package "telnet" { ensure = "absent" }
`,
		Validate: (*Package).validate, Read: readPackage, ReadAbsent: readPackageAbsent, Apply: applyPackage,
	})
}

// Package is one package or several.
type Package struct {
	Name              string   `json:"name" lab:"key" doc:"Name of the package; with names whatever the task shall be called."`
	Names             []string `json:"names,omitempty" lab:"set" doc:"Several packages."`
	Version           string   `json:"version,omitempty" doc:"Version of a single package in the words of the package manager; * at its end stands for any rest. Unset: whichever is there."`
	Latest            bool     `json:"latest,omitempty" lab:"option" doc:"Bring packages that are there up to the newest version that the lists know."`
	Outdated          []string `json:"outdated,omitempty" lab:"derived" doc:"With latest: packages of which a newer version is known."`
	UpdateCache       *bool    `json:"update_cache,omitempty" doc:"Fetch the lists of packages first, if something is to be installed, or latest is set, and they are older than cache_valid_time."`
	CacheValidTime    string   `json:"cache_valid_time,omitempty" lab:"option" default:"1h" doc:"How old the lists may be."`
	InstallRecommends *bool    `json:"install_recommends,omitempty" lab:"option" doc:"Install what is recommended (weak dependencies), too; unset: as the package manager does by itself."`

	valid time.Duration
}

func (p *Package) validate() (err error) {
	if p.Names != nil && p.Version != "" && len(p.Names) > 1 {
		return argf("version", "is for a single package; write a task for each")
	}
	if p.Names != nil && len(p.Names) == 0 {
		return argf("names", "names no package")
	}
	if p.Version != "" && p.Latest {
		return argf("latest", "cannot be together with version")
	}
	slices.Sort(p.Names)
	p.Names = slices.Compact(p.Names)
	for i, n := range p.packages() {
		if n == "" || n[0] == '-' || strings.ContainsAny(n, "= \t\n*/'\"\x00") {
			at := "name"
			if p.Names != nil {
				at = fmt.Sprintf("names[%d]", i)
			}
			return argf(at, "%q is not the name of a package; a version goes into version", n)
		}
	}
	if strings.ContainsAny(p.Version, " \t\n\x00") {
		return argf("version", "%q is not a version", p.Version)
	}
	if p.UpdateCache != nil && !*p.UpdateCache {
		p.UpdateCache = nil
	}
	p.valid, err = duration("cache_valid_time", p.CacheValidTime, time.Hour)
	return err
}

func (p *Package) packages() []string {
	if p.Names != nil {
		return p.Names
	}
	return []string{p.Name}
}

// readPackage returns those that are installed; nil: none.
func readPackage(ctx context.Context, h host.Host, want *Package) (*Package, error) {
	have, missing, err := want.installed(ctx, h)
	if err != nil {
		return nil, err
	}
	if want.Latest && have != nil {
		want.Outdated = []string{}
		if err := have.findOutdated(ctx, h, want.packages()); err != nil {
			return nil, err
		}
	}
	if want.UpdateCache == nil || have == nil {
		return have, nil
	}
	have.UpdateCache = want.UpdateCache
	if want.Latest || missing || have.Version != want.Version {
		fresh, err := want.fresh(ctx, h)
		have.UpdateCache = &fresh
		return have, err
	}
	return have, nil
}

// installed returns what is there in the words of p, and whether some is missing.
func (p *Package) installed(ctx context.Context, h host.Host) (have *Package, missing bool, err error) {
	there, err := h.Packages().Installed(ctx, p.packages())
	if err != nil || len(there) == 0 {
		return nil, true, err
	}
	have = &Package{Name: p.Name}
	for _, n := range p.packages() {
		if _, ok := there[n]; ok && p.Names != nil {
			have.Names = append(have.Names, n)
		}
	}
	if len(p.packages()) == 1 {
		have.Version = there[p.packages()[0]]
		if ok, _ := path.Match(p.Version, have.Version); ok && p.Version != "" {
			have.Version = p.Version
		}
	}
	return have, len(there) < len(p.packages()), nil
}

func (p *Package) findOutdated(ctx context.Context, h host.Host, names []string) error {
	there, err := h.Packages().Installed(ctx, names)
	if err != nil {
		return err
	}
	newest, err := h.Packages().Candidates(ctx, names)
	p.Outdated = []string{}
	for _, n := range names {
		if v := there[n]; v != "" && newest[n] != "" && newest[n] != v {
			p.Outdated = append(p.Outdated, n)
		}
	}
	return err
}

// fresh reports whether the lists are young enough.
func (p *Package) fresh(ctx context.Context, h host.Host) (bool, error) {
	at, err := h.Packages().Updated(ctx)
	return time.Since(at) <= p.valid, err
}

// readPackageAbsent returns those that are installed themselves: what others provide cannot be taken away.
func readPackageAbsent(ctx context.Context, h host.Host, want *Package) (*Package, error) {
	there, err := h.Packages().Installed(ctx, want.packages())
	maps.DeleteFunc(there, func(_, version string) bool { return version == "" })
	if err != nil || len(there) == 0 {
		return nil, err
	}
	have := &Package{Name: want.Name}
	if want.Names != nil {
		have.Names = slices.Sorted(maps.Keys(there))
	}
	return have, nil
}

func applyPackage(ctx context.Context, h host.Host, have, want *Package, _ Diff) error {
	if want == nil {
		return h.Packages().Change(ctx, host.PackageChange{Remove: have.packages()})
	}
	c := host.PackageChange{Version: want.Version, Recommends: want.InstallRecommends}
	for _, n := range want.packages() {
		there := have != nil && (want.Names == nil || slices.Contains(have.Names, n))
		switch {
		case !there, want.Version != "" && have.Version != want.Version:
			c.Install = append(c.Install, n)
		case want.Latest:
			c.Upgrade = append(c.Upgrade, n)
		}
	}
	if want.UpdateCache != nil {
		fresh, err := want.fresh(ctx, h)
		if err != nil {
			return err
		}
		c.Update = !fresh
	}
	return h.Packages().Change(ctx, c)
}
