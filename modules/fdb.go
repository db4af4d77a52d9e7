package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
)

func init() {
	Register(Spec[FDB]{
		Name: "fdb",
		Doc: "Manages the entry of a MAC address in a forwarding database, as bridge(8) fdb. A VXLAN can have several remotes for " +
			"00:00:00:00:00:00, where frames of unknown destination go (head-end replication). What was learned counts as absent: it is replaced, and never removed.",
		Example: `fdb "00:00:00:00:00:00" {
  dev = "vxlan0"
  dst = ["192.168.50.5", "192.168.50.6"]
}
fdb "02:00:00:00:00:05" {
  dev    = "veth0"
  master = true
  state  = "static"
}`,
		Validate: (*FDB).validate, Complete: (*FDB).complete, Read: readFDB, ReadAbsent: readGoingFDB, Apply: applyFDB,
	})
}

// FDB is what a forwarding database holds for one MAC address.
type FDB struct {
	InNetNS
	LLAddr    string   `json:"lladdr" lab:"key" doc:"MAC address; 00:00:00:00:00:00 in a VXLAN stands for every one that is not known."`
	Dev       string   `json:"dev,omitempty" lab:"option" doc:"Device that the address is behind. Required."`
	Master    bool     `json:"master,omitempty" lab:"option" default:"false" doc:"Whether the bridge that the device is a port of holds the entry; else the device itself does (bridge(8) self)."`
	VLAN      *int     `json:"vlan,omitempty" lab:"option" doc:"VLAN of an entry that a bridge holds, 1 to 4094; none if unset."`
	Dst       []string `json:"dst,omitempty" lab:"set" doc:"VXLAN: addresses of the ends where the address is. One, unless the address is 00:00:00:00:00:00 or of a group; others of it stay unless exclusive is set."`
	Exclusive bool     `json:"exclusive,omitempty" lab:"option" default:"false" doc:"Whether all other remotes of the address are removed."`
	Port      *int     `json:"port,omitempty" doc:"VXLAN: UDP port of the remotes; that of the device if unset."`
	VNI       *int     `json:"vni,omitempty" doc:"VXLAN: network identifier that the remotes know; that of the device if unset."`
	Via       *string  `json:"via,omitempty" doc:"VXLAN: device that leads to the remotes; chosen by the route if unset."`
	State     string   `json:"state,omitempty" enum:"permanent,static,dynamic" default:"permanent" doc:"permanent, of a bridge: the host's own address; static: forwarded, never forgotten; dynamic: forgotten when not seen for a while, and then made again."`
}

func (f *FDB) validate() error {
	err := validLLAddr("lladdr", &f.LLAddr)
	if err != nil {
		return err
	}
	if f.Dev == "" {
		return argf("dev", "required argument is missing")
	}
	if f.State == "" {
		f.State = "permanent"
	}
	for i, text := range f.Dst {
		path := fmt.Sprintf("dst[%d]", i)
		a, err := validAddr(path, text)
		if err != nil {
			return err
		}
		if f.Dst[i] = a.String(); slices.Contains(f.Dst[:i], f.Dst[i]) {
			return argf(path, "%s is there twice", a)
		}
	}
	if f.Via != nil {
		err = validDevice("via", *f.Via)
	}
	return firstFault(err, f.validRemotes(), validDevice("dev", f.Dev), inRange("vlan", f.VLAN, 1, 4094), inRange("port", f.Port, 1, 65535), inRange("vni", f.VNI, 0, 1<<24-1))
}

func (f *FDB) validRemotes() error {
	switch {
	case f.Dst == nil && (f.Port != nil || f.VNI != nil || f.Via != nil || f.Exclusive):
		return argf("dst", "port, vni, via and exclusive say how a VXLAN reaches its remotes: dst is needed with them")
	case f.Dst != nil && f.Master:
		return argf("master", "the remotes of a VXLAN are in its own forwarding database, not in that of a bridge")
	case f.Dst != nil && len(f.Dst) != 1 && !f.many():
		return argf("dst", "only 00:00:00:00:00:00 and addresses of groups have other than one remote")
	case f.Dst == nil && f.LLAddr == host.ZeroMAC:
		return nil // absent: of all remotes
	case f.Dst != nil && len(f.Dst) == 0 && !f.Exclusive:
		return argf("dst", "an empty list changes nothing unless exclusive = true, which removes all remotes")
	}
	return nil
}

func (f *FDB) complete() error {
	if f.Dst == nil && f.LLAddr == host.ZeroMAC {
		return argf("dst", "required for 00:00:00:00:00:00: where frames of unknown destination go")
	}
	return nil
}

// many reports whether a VXLAN can have several remotes for the address.
func (f *FDB) many() bool { return host.FDBEntry{MAC: f.LLAddr, Dst: "any"}.Many() }

// held returns what is configured for the address.
func (f *FDB) held(ctx context.Context, h host.Host) (host.Net, []host.FDBEntry, error) {
	n, err := f.net(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	all, err := n.Neighs().GetFDB(ctx, f.entry(""))
	if errors.Is(err, host.ErrNotExist) {
		return n, nil, nil // without the device there are none; adding says so
	}
	all = slices.DeleteFunc(slices.Clone(all), func(e host.FDBEntry) bool { return e.Extern || e.State == "dynamic" && f.State != "dynamic" })
	if err != nil || len(all) == 0 || f.Port == nil && f.VNI == nil {
		return n, all, err
	}
	l, err := n.Links().Get(ctx, f.Dev)
	if err != nil || l.Kind != "vxlan" {
		return n, all, err
	}
	for i := range all { // what is the device's own is not told
		if all[i].Port == 0 {
			all[i].Port = kinds.Of("vxlan").Int(l.Data, "dstport")
		}
		if all[i].VNI == 0 {
			all[i].VNI = kinds.Of("vxlan").Int(l.Data, "vni")
		}
	}
	return n, all, nil
}

func readFDB(ctx context.Context, h host.Host, want *FDB) (*FDB, error) {
	_, all, err := want.held(ctx, h)
	if err != nil {
		return nil, err
	}
	return want.of(all, want.Exclusive || !want.many()), nil
}

// readGoingFDB takes what the task names: some remotes, or all there is.
func readGoingFDB(ctx context.Context, h host.Host, want *FDB) (*FDB, error) {
	_, all, err := want.held(ctx, h)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return want.of(all, len(want.Dst) == 0 || !want.many()), nil
}

// of is f as entries have it: the remotes that f names, or every one. Of attributes in which they differ it takes one that
// is not as wanted.
func (f *FDB) of(all []host.FDBEntry, every bool) *FDB {
	have := *f
	have.Dst, have.Port, have.VNI, have.Via = nil, f.Port, f.VNI, f.Via
	if f.Dst != nil && f.many() {
		have.Dst = []string{}
	}
	for _, e := range all {
		named := slices.Contains(f.Dst, e.Dst)
		if !named && !every {
			continue
		}
		if e.Dst != "" && !slices.Contains(have.Dst, e.Dst) {
			have.Dst = append(have.Dst, e.Dst)
		}
		if named && !f.fits(e) || !named && len(f.Dst) == 0 || !f.many() {
			have.Port, have.VNI, have.Via, have.State = known(f.Port, e.Port), known(f.VNI, e.VNI), known(f.Via, e.Via), e.State
		}
	}
	slices.Sort(have.Dst)
	if len(have.Dst) == 0 && (len(f.Dst) > 0 || len(all) == 0 && f.Dst == nil) {
		return nil
	}
	return &have
}

// known is what is there of an attribute that is looked at.
func known[T any](want *T, have T) *T {
	if want == nil {
		return nil
	}
	return &have
}

// fits reports whether an entry is as wanted in all but its remote.
func (f *FDB) fits(e host.FDBEntry) bool {
	return (f.Port == nil || *f.Port == e.Port) && (f.VNI == nil || *f.VNI == e.VNI) && (f.Via == nil || *f.Via == e.Via) && f.State == e.State
}

func applyFDB(ctx context.Context, h host.Host, have, want *FDB, _ Diff) error {
	f := want
	if want == nil {
		f = have
	}
	n, all, err := f.held(ctx, h)
	if err != nil {
		return err
	}
	var add, drop []host.FDBEntry
	for _, e := range all {
		e.Self = !f.Master
		switch named := slices.Contains(f.Dst, e.Dst) || e.Dst == ""; {
		case want == nil && (named || !f.many()),
			want != nil && f.many() && named && !f.sameRemote(e),
			want != nil && f.many() && !named && f.Exclusive:
			drop = append(drop, e)
		}
	}
	if want != nil {
		add = want.missing(all)
	}
	if len(add) > 0 { // before anything goes, so that no frame is lost between
		if err := n.Neighs().SetFDB(ctx, add...); err != nil {
			return err
		}
	}
	if len(drop) == 0 {
		return nil
	}
	return n.Neighs().DeleteFDB(ctx, drop...)
}

// sameRemote is fits without regard to the state, which is of the address, not of a remote.
func (f *FDB) sameRemote(e host.FDBEntry) bool {
	e.State = f.State
	return f.fits(e)
}

// missing returns the entries that are not there as wanted.
func (f *FDB) missing(all []host.FDBEntry) []host.FDBEntry {
	if f.Dst == nil {
		return []host.FDBEntry{f.entry("")}
	}
	var out []host.FDBEntry
	for _, dst := range f.Dst {
		if !slices.ContainsFunc(all, func(e host.FDBEntry) bool { return e.Dst == dst && f.fits(e) }) {
			out = append(out, f.entry(dst))
		}
	}
	return out
}

func (f *FDB) entry(dst string) host.FDBEntry {
	e := host.FDBEntry{Link: f.Dev, MAC: f.LLAddr, Self: !f.Master, Dst: dst, State: f.State}
	for to, from := range map[*int]*int{&e.VLAN: f.VLAN, &e.Port: f.Port, &e.VNI: f.VNI} {
		if from != nil {
			*to = *from
		}
	}
	if f.Via != nil {
		e.Via = *f.Via
	}
	return e
}
