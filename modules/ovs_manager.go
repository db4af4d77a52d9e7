package modules

import (
	"context"

	"labctl/modules/host"
)

func init() {
	Register(Spec[OVSManager]{
		Name: "ovs_manager",
		Doc: "Manages a connection of Open vSwitch's database to a manager, such as an SDN controller: one that it makes (tcp:, ssl:, unix:), or " +
			"one that it listens for (ptcp:, pssl:, punix:). Whoever is connected can change everything: ptcp without an address listens on all.",
		Example: `ovs_manager "ptcp:6640:127.0.0.1" {
  inactivity_probe = 30000
}`,
		Validate: (*OVSManager).validate, Read: readOVSManager, ReadAbsent: noneUnsupported(readOVSManager), Apply: applyOVSManager,
		Warn: func(m *OVSManager) []string { return m.warn() }, Batch: batchOVS,
	})
}

// OVSManager is a connection to a manager.
type OVSManager struct {
	OnOVS
	Target          string            `json:"target" lab:"key" doc:"Where to connect or listen (ovsdb(7)), such as \"ssl:192.0.2.1:6640\"."`
	ConnectionMode  *string           `json:"connection_mode,omitempty" doc:"in-band, out-of-band, or \"\" for the default; left alone if unset."`
	InactivityProbe *string           `json:"inactivity_probe,omitempty" doc:"Milliseconds of silence after which the connection is tried, 0 for never, \"\" for the default; left alone if unset."`
	MaxBackoff      *string           `json:"max_backoff,omitempty" doc:"Most milliseconds between attempts to connect, 1000 or more, \"\" for the default; left alone if unset."`
	ExternalIDs     map[string]string `json:"external_ids,omitempty" doc:"Keys for other programs. Keys not named stay, unless exclusive is set."`
	OtherConfig     map[string]string `json:"other_config,omitempty" doc:"Settings that have no attribute of their own. Keys not named stay, unless exclusive is set."`
	Exclusive       bool              `json:"exclusive,omitempty" lab:"option" doc:"external_ids and other_config hold what the task gives them and no more."`
}

func (m *OVSManager) validate() error {
	return firstFault(ovsTarget("target", m.Target), oneOf("connection_mode", m.ConnectionMode, "", "in-band", "out-of-band"),
		numberOrNone("inactivity_probe", m.InactivityProbe, 0), numberOrNone("max_backoff", m.MaxBackoff, 1000),
		ovsKeys("external_ids", m.ExternalIDs), ovsKeys("other_config", m.OtherConfig))
}

func readOVSManager(ctx context.Context, h host.Host, want *OVSManager) (*OVSManager, error) {
	row, _, err := want.row(ctx, h, "Manager", want.Target)
	if err != nil || row == nil {
		return nil, err
	}
	have := &OVSManager{Target: want.Target, Exclusive: want.Exclusive}
	return have, fillOVS("ovs_manager", have, want, map[string]host.OVSRow{"Manager": row}, want.Exclusive)
}

func applyOVSManager(ctx context.Context, h host.Host, have, want *OVSManager, d Diff) error {
	all := host.OVSChange{OVSKey: host.OVSKey{Table: "Open_vSwitch"}}
	if want == nil {
		all.Remove = host.OVSRow{"manager_options": {have.Target}}
		return h.OVS().Transact(ctx, []host.OVSChange{all})
	}
	key := host.OVSKey{Table: "Manager", Name: want.Target}
	before, _, err := want.row(ctx, h, key.Table, key.Name)
	if err != nil {
		return err
	}
	changes := []host.OVSChange{changeOVS(key, before, ovsRows("ovs_manager", want, ifAny(have, &d))["Manager"], want.Exclusive)}
	if have == nil {
		all.Add = host.OVSRow{"manager_options": {want.Target}}
		changes = append(changes, all)
	}
	return h.OVS().Transact(ctx, changes)
}
