package modules

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[BridgeVLANs]{
		Name: "bridge_vlan",
		Doc:  "Manages the VLANs that a port of a bridge, or the bridge itself, is in, as bridge(8) vlan. They count where vlan_filtering of the bridge is true.",
		Example: `bridge_vlan "veth0" {
  vids      = ["10", "100-110"]
  pvid      = 10
  untagged  = ["10"]
  exclusive = true
}`,
		Validate: (*BridgeVLANs).validate, Complete: (*BridgeVLANs).complete, Read: readBridgeVLANs, ReadAbsent: readGoingVLANs, Apply: applyBridgeVLANs,
	})
}

// BridgeVLANs are VLANs of one device.
type BridgeVLANs struct {
	InNetNS
	Dev       string   `json:"dev" lab:"key" doc:"Port of a bridge, or a bridge."`
	VIDs      []string `json:"vids,omitempty" lab:"set" doc:"VLANs that the device is in, numbers and ranges such as \"100-110\"; others stay unless exclusive is set. Unset with ensure = \"absent\": all."`
	PVID      *int     `json:"pvid,omitempty" doc:"VLAN of frames that come without a tag, one of vids, 0 for none; left alone if unset."`
	Untagged  []string `json:"untagged,omitempty" lab:"set" doc:"Those of vids whose frames leave without a tag, [] for none; left alone if unset."`
	Exclusive bool     `json:"exclusive,omitempty" lab:"option" default:"false" doc:"Whether the device is taken out of all other VLANs."`
}

func (b *BridgeVLANs) validate() error {
	vids, err := validVIDs("vids", b.VIDs)
	if err != nil {
		return err
	}
	untagged, err := validVIDs("untagged", b.Untagged)
	if err != nil {
		return err
	}
	for vid := range untagged {
		if _, ok := vids[vid]; !ok {
			return argf("untagged", "%d is not one of vids", vid)
		}
	}
	if _, ok := vids[*orZero(b.PVID)]; *orZero(b.PVID) != 0 && !ok {
		return argf("pvid", "%d is not one of vids", *b.PVID)
	}
	if b.VIDs != nil {
		b.VIDs = vidTexts(vids)
	}
	if b.Untagged != nil {
		b.Untagged = vidTexts(untagged)
	}
	return validDevice("dev", b.Dev)
}

func orZero(v *int) *int {
	if v == nil {
		return new(int)
	}
	return v
}

func (b *BridgeVLANs) complete() error {
	if b.VIDs == nil {
		return argf("vids", "required argument is missing")
	}
	return nil
}

// validVIDs reads numbers and ranges. None may be there twice.
func validVIDs(path string, list []string) (host.VLANSet, error) {
	out := host.VLANSet{}
	for i, text := range list {
		first, last, ranged := strings.Cut(text, "-")
		if !ranged {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || from < 1 || to > 4094 || from > to {
			return nil, argf(fmt.Sprintf("%s[%d]", path, i), "%q is not a VLAN, 1 to 4094, or a range such as \"100-110\"", text)
		}
		for vid := from; vid <= to; vid++ {
			if _, ok := out[vid]; ok {
				return nil, argf(fmt.Sprintf("%s[%d]", path, i), "%d is there twice", vid)
			}
			out[vid] = host.BridgeVLAN{}
		}
	}
	return out, nil
}

// vidTexts writes VLANs as few numbers and ranges.
func vidTexts(set host.VLANSet) []string {
	plain := host.VLANSet{}
	for vid := range set {
		plain[vid] = host.BridgeVLAN{}
	}
	out := []string{}
	for _, r := range plain.Ranges() {
		text := strconv.Itoa(r.First)
		if r.First != r.Last {
			text += "-" + strconv.Itoa(r.Last)
		}
		out = append(out, text)
	}
	return out
}

// held returns what the device is in, nil if it is not there or no port of a bridge.
func (b *BridgeVLANs) held(ctx context.Context, h host.Host) (host.Net, host.VLANSet, error) {
	n, err := b.net(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	l, err := getDevice(ctx, n, b.Dev, "")
	if err != nil || l == nil || l.Kind != "bridge" && l.Port == nil {
		return n, nil, err
	}
	all, err := n.Links().VLANs(ctx, b.Dev)
	return n, host.VLANs(all[b.Dev]), err
}

func readBridgeVLANs(ctx context.Context, h host.Host, want *BridgeVLANs) (*BridgeVLANs, error) {
	_, held, err := want.held(ctx, h)
	if err != nil || held == nil {
		return nil, err
	}
	in, untagged := host.VLANSet{}, host.VLANSet{}
	wanted, _ := validVIDs("vids", want.VIDs)
	for vid, v := range held {
		if _, ok := wanted[vid]; !ok && !want.Exclusive && want.VIDs != nil {
			continue
		}
		in[vid] = v
		if v.Untagged {
			untagged[vid] = v
		}
	}
	return &BridgeVLANs{InNetNS: want.InNetNS, Dev: want.Dev, VIDs: vidTexts(in), PVID: ptr(held.PVID()), Untagged: vidTexts(untagged), Exclusive: want.Exclusive}, nil
}

func readGoingVLANs(ctx context.Context, h host.Host, want *BridgeVLANs) (*BridgeVLANs, error) {
	have, err := readBridgeVLANs(ctx, h, &BridgeVLANs{InNetNS: want.InNetNS, Dev: want.Dev, VIDs: want.VIDs})
	if err != nil || have == nil || len(have.VIDs) == 0 {
		return nil, err
	}
	return have, nil
}

func applyBridgeVLANs(ctx context.Context, h host.Host, have, want *BridgeVLANs, _ Diff) error {
	if have == nil {
		return fmt.Errorf("device %s: %w: it is neither a bridge nor a port of one; attach it first", want.Dev, host.ErrNotExist)
	}
	n, held, err := have.held(ctx, h)
	if err != nil {
		return err
	}
	if want == nil {
		going, _ := validVIDs("vids", have.VIDs)
		return n.Links().SetVLANs(ctx, have.Dev, nil, going.Ranges())
	}
	set, remove := want.changes(held)
	return n.Links().SetVLANs(ctx, want.Dev, set.Ranges(), remove.Ranges())
}

// changes says what to set and what to remove.
func (b *BridgeVLANs) changes(held host.VLANSet) (set, remove host.VLANSet) {
	set, remove = host.VLANSet{}, host.VLANSet{}
	wanted, _ := validVIDs("vids", b.VIDs)
	untagged, _ := validVIDs("untagged", b.Untagged)
	for vid := range wanted {
		v, ok := held[vid]
		if b.PVID != nil {
			v.PVID = *b.PVID == vid
		}
		if b.Untagged != nil {
			_, v.Untagged = untagged[vid]
		}
		if !ok || v.PVID != held[vid].PVID || v.Untagged != held[vid].Untagged {
			set[vid] = v
		}
	}
	for vid, v := range held {
		_, ok := wanted[vid]
		switch {
		case ok:
		case b.Exclusive:
			remove[vid] = v
		case b.PVID != nil && v.PVID:
			set[vid] = host.BridgeVLAN{Untagged: v.Untagged}
		}
	}
	return set, remove
}
