package modulestest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"labctl/modules/host"
)

// Difference says how the network objects of two hosts differ, line by line; "" when they agree. What the kernel invents
// (indexes, MAC addresses, link-local addresses and their routes, the local table) is not compared.
func Difference(ctx context.Context, model, real host.Host) string {
	return difference(ctx, model, real, allSysctls)
}

// difference compares the kernel parameters that read lists.
func difference(ctx context.Context, model, real host.Host, read sysctlReader) string {
	a, err := lines(ctx, model, read)
	if err != nil {
		return "model: " + err.Error()
	}
	b, err := lines(ctx, real, read)
	if err != nil {
		return "host: " + err.Error()
	}
	excuseVLANs(a, b)
	var out strings.Builder
	for l := range a {
		if !b[l] {
			fmt.Fprintf(&out, "only the model: %s\n", l)
		}
	}
	for l := range b {
		if !a[l] {
			fmt.Fprintf(&out, "only the host:  %s\n", l)
		}
	}
	return out.String()
}

// lines writes a host as a set of lines, one per object.
func lines(ctx context.Context, h host.Host, read sysctlReader) (map[string]bool, error) {
	names, err := h.NetNS().List(ctx)
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	out := map[string]bool{}
	for _, name := range append([]string{""}, names...) {
		n, err := h.Net(ctx, name)
		if err != nil {
			return nil, err
		}
		objects, err := objects(ctx, n, read)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			out[fmt.Sprintf("netns %q %s", name, jsonOf(o))] = true
		}
	}
	return out, nil
}

func jsonOf(object any) string {
	b, _ := json.Marshal(object) // plain data
	return fmt.Sprintf("%T %s", object, b)
}

func objects(ctx context.Context, n host.Net, read sysctlReader) ([]any, error) {
	var out []any
	links, err := n.Links().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		l.Index, l.Address = 0, nil
		if l.Kind != "veth" && l.Port != nil { // a cost by its speed, which the model does not know
			l.Port = maps.Clone(l.Port)
			delete(l.Port, "cost")
		}
		out = append(out, l)
	}
	vlans, err := n.Links().VLANs(ctx, "")
	if err != nil {
		return nil, err
	}
	for dev, list := range vlans {
		out = append(out, bridgeVLANs{dev, list})
	}
	addrs, err := n.Addrs().List(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if !a.Dynamic {
			out = append(out, a)
		}
	}
	routes, err := n.Routes().List(ctx, host.RouteFilter{Table: host.AllTables})
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		if r.Table != 255 && !strings.HasPrefix(r.Dst, "fe80::") && r.Dst != "ff00::/8" && r.Dst != "::1/128" {
			out = append(out, r)
		}
	}
	rules, err := n.Rules().List(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		out = append(out, r)
	}
	neighs, err := n.Neighs().List(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, e := range neighs {
		if e.Configured() {
			out = append(out, e)
		}
	}
	fdb, err := n.Neighs().FDB(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, e := range fdb {
		twin := e
		if twin.VLAN = 0; e.VLAN != 0 && slices.Contains(fdb, twin) {
			continue // made with it, where the port is in VLANs
		}
		if e.State != "dynamic" && (e.Dst != "" || strings.HasPrefix(e.MAC, testMAC)) {
			out = append(out, e)
		}
	}
	qdiscs, err := n.Qdiscs().List(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, q := range qdiscs {
		out = append(out, plainQdisc(q))
	}
	return append(out, read(ctx, n, links)...), nil
}

// plainQdisc leaves out what the kernel chooses.
func plainQdisc(q host.Qdisc) host.Qdisc {
	if q.Handle >= "8000:" && q.Handle < "9000:" && len(q.Handle) == 5 {
		q.Handle = ""
	}
	if q.Kind == "fq" || q.Kind == "pfifo_fast" {
		q.Options = nil
	}
	if slices.ContainsFunc(q.Classes, func(c host.QdiscClass) bool { return c.ID == "1:fffe" }) {
		q.Classes = nil // those of Open vSwitch
	}
	q.Classes = slices.Clone(q.Classes)
	for i, c := range q.Classes {
		q.Classes[i].Options = maps.Clone(c.Options)
		delete(q.Classes[i].Options, "quantum")
	}
	return q
}

// testMAC starts the MAC addresses of entries in forwarding databases that tests make. Others are those of devices.
const testMAC = "02:fd:"

// bridgeVLANs are the VLANs of a device as an object.
type bridgeVLANs struct {
	Dev  string
	List []host.BridgeVLAN
}

// excuseVLANs drops from the model what a kernel has not that cannot filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING), which the
// model cannot know: the VLAN of new bridges and of their ports.
func excuseVLANs(model, real map[string]bool) {
	kind := fmt.Sprintf(" %T ", bridgeVLANs{})
	for l := range real {
		if strings.Contains(l, kind) {
			return
		}
	}
	maps.DeleteFunc(model, func(l string, _ bool) bool {
		return strings.Contains(l, kind) && strings.HasSuffix(l, `"List":[{"first":1,"last":1,"pvid":true,"untagged":true}]}`)
	})
}

// sysctl is a parameter as an object.
type sysctl struct{ Key, Value string }

// sysctlReader returns parameters of a namespace that has these devices.
type sysctlReader func(ctx context.Context, n host.Net, links []host.Link) []any

// followers are the parameters of devices that change by themselves when others or devices do.
var followers = []string{"forwarding", "accept_redirects", "send_redirects", "tag"}

// fewSysctls reads the followers alone: a guest takes a second for all that its devices have.
func fewSysctls(ctx context.Context, n host.Net, links []host.Link) []any {
	var out []any
	for _, dev := range append([]host.Link{{Name: "all"}, {Name: "default"}}, links...) {
		for _, leaf := range followers {
			key := "net.ipv4.conf." + strings.ReplaceAll(dev.Name, ".", "/") + "." + leaf
			if v, err := n.Sysctls().Get(ctx, key); err == nil { // a model without a base knows few
				out = append(out, sysctl{key, v})
			}
		}
	}
	return out
}

// allSysctls reads all those of which some change by themselves.
func allSysctls(ctx context.Context, n host.Net, _ []host.Link) []any {
	var out []any
	for _, prefix := range []string{"net.ipv4.conf", "net.ipv4.ip_forward"} {
		all, err := n.Sysctls().All(ctx, prefix)
		if err != nil {
			continue // a model without a base knows few
		}
		for k, v := range all {
			out = append(out, sysctl{k, v})
		}
	}
	return out
}
