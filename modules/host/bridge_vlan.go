package host

// BridgeVLAN is a range of VLANs that a port of a bridge, or the bridge itself, is in, as bridge(8) vlan.
type BridgeVLAN struct {
	First    int  `json:"first"`
	Last     int  `json:"last"`
	PVID     bool `json:"pvid,omitempty"`     // of frames that come without a tag; then First is Last
	Untagged bool `json:"untagged,omitempty"` // frames leave without a tag
}

// VLANSet is what a device is in, by VLAN; First and Last are not looked at.
type VLANSet map[int]BridgeVLAN

// VLANs returns list by VLAN.
func VLANs(list []BridgeVLAN) VLANSet {
	out := VLANSet{}
	for _, r := range list {
		for vid := r.First; vid <= r.Last; vid++ {
			out[vid] = BridgeVLAN{PVID: r.PVID, Untagged: r.Untagged}
		}
	}
	return out
}

// Ranges returns s as few ranges, in order.
func (s VLANSet) Ranges() []BridgeVLAN {
	out := []BridgeVLAN{}
	for vid := 1; vid < 4095; vid++ {
		v, ok := s[vid]
		if !ok {
			continue
		}
		if n := len(out) - 1; n >= 0 && out[n].Last == vid-1 && out[n].Untagged == v.Untagged && !v.PVID && !out[n].PVID {
			out[n].Last = vid
			continue
		}
		out = append(out, BridgeVLAN{vid, vid, v.PVID, v.Untagged})
	}
	return out
}

// PVID returns the VLAN of frames without a tag, 0 if there is none.
func (s VLANSet) PVID() int {
	for vid, v := range s {
		if v.PVID {
			return vid
		}
	}
	return 0
}

// Put adds or changes one VLAN; only one can be the PVID.
func (s VLANSet) Put(vid int, v BridgeVLAN) {
	if old := s.PVID(); v.PVID && old != 0 {
		s[old] = BridgeVLAN{Untagged: s[old].Untagged}
	}
	s[vid] = BridgeVLAN{PVID: v.PVID, Untagged: v.Untagged}
}
