package modulestest

import (
	"context"
	"fmt"

	"labctl/modules"
	"labctl/modules/host"
)

const resolvedFile = "/etc/systemd/resolved.conf.d/labctl.conf"

func resolverStates(path string, options bool) []modules.Call {
	all := []string{`"nameservers":["10.0.0.1"]`, `"nameservers":["10.0.0.2","fd00::1"],"search":["a.lab","b.lab"]`, `"search":[]`, `"nameservers":[],"search":["c.lab"]`}
	if options {
		all = append(all, `"options":["ndots:1","rotate"]`, `"options":[],"nameservers":["10.0.0.3","10.0.0.1"]`)
	}
	out := make([]modules.Call, len(all))
	for i, s := range all {
		out[i] = states("resolver", fmt.Sprintf(`{"path":%q,%s}`, path, s))[0]
	}
	return out
}

// resolverSuite writes a file with lines that stay.
func resolverSuite() Suite {
	return Suite{Module: "resolver", Only: true, Compare: sameFiles("/etc/resolv.conf"), States: resolverStates("/etc/resolv.conf", true),
		Setup: func(ctx context.Context, h host.Host, _ string) error {
			if err := h.Files().Remove(ctx, "/etc/resolv.conf", false); err != nil {
				return err
			}
			text := "# made by hand\nsearch old\nnameserver 10.0.0.1 # first\nsortlist 10.0.0.0\ndomain lab\nnameserver 10.0.0.9\noptions ndots:2\noptions rotate\n"
			return h.Files().Write(ctx, "/etc/resolv.conf", host.Content{Inline: []byte(text), Size: int64(len(text))}, host.FileAttrs{})
		},
		Rejects: []Reject{{`{"path":"resolv.conf","search":[]}`, "path"}, {`{"path":"/etc/resolv.conf","nameservers":["a"]}`, "nameservers[0]"},
			{`{"path":"/etc/resolv.conf","search":["a b"]}`, "search[0]"}, {`{"path":"/etc/resolv.conf","options":["a\nb"]}`, "options[0]"},
			{`{"path":"/etc/resolv.conf"}`, "nameservers"}}}
}

func resolverNetNSSuite() Suite {
	const path = "/etc/netns/lab/resolv.conf"
	return Suite{Module: "resolver", Name: "resolver of a namespace", Compare: sameFiles(path), States: resolverStates(path, true)}
}

// resolvedSuite finds the link that systemd-resolved has its users make.
func resolvedSuite() Suite {
	return Suite{Module: "resolver", Name: "resolver by systemd-resolved", Only: true, Compare: sameFiles("/etc/resolv.conf", resolvedFile), States: resolverStates("/etc/resolv.conf", false),
		Setup: func(ctx context.Context, h host.Host, _ string) error {
			if err := h.Files().Remove(ctx, "/etc/resolv.conf", false); err != nil {
				return err
			}
			return h.Files().Symlink(ctx, "/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
		}}
}
