package linux

import (
	"os"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// TestResolverLinks: what /etc/resolv.conf is a link to belongs to another program. Only systemd-resolved can be told, however its link
// is written, and neither is anything written through a link in place of the file that tells it.
func TestResolverLinks(t *testing.T) {
	const dropIn = "/etc/systemd/resolved.conf.d/labctl.conf"
	c := benchCall("resolver", `{"path":"/etc/resolv.conf","nameservers":["10.0.0.1"]}`)
	for target, refused := range map[string]string{
		"/run/NetworkManager/resolv.conf":              "is a link to",
		"/etc/resolvconf/run/resolv.conf":              "is a link to",
		"/srv/through":                                 "is a link to",
		"through":                                      "is a link to",
		"/var/run/systemd/resolve/stub-resolv.conf":    "",
		"../run/systemd/resolve/resolv.conf":           "",
		"/usr/lib/systemd/resolv.conf":                 "",
		"/run/systemd/resolve/stub-resolv.conf masked": "is a link to /srv/through",
	} {
		t.Run(strings.ReplaceAll(target, "/", "_"), func(t *testing.T) {
			h := freshMachine(t)
			at, masked := strings.CutSuffix(target, " masked")
			if masked {
				writeFile(t, dropIn, "")
				link(t, "/srv/through", dropIn)
			}
			writeFile(t, "/srv/through", "theirs\n")
			writeFile(t, "/etc/through", "theirs\n")
			link(t, at, "/etc/resolv.conf")
			for _, on := range []host.Host{memory.New(h), h} {
				r, err := tryApply(t, on, c)
				if refused == "" && (err != nil || r.Diff.Action != modules.Create) || refused != "" && (err == nil || !strings.Contains(err.Error(), refused)) {
					t.Errorf("%T: %v, %v", on, r.Diff, err)
				}
			}
			for _, p := range []string{"/srv/through", "/etc/through"} {
				if b, _ := os.ReadFile(p); string(b) != "theirs\n" {
					t.Errorf("%s is %q", p, b)
				}
			}
			if b, _ := os.ReadFile(dropIn); refused == "" && string(b) != "[Resolve]\nDNS=10.0.0.1\n" {
				t.Errorf("drop-in file: %q", b)
			}
		})
	}
}

// link puts a link in place of what there is.
func link(t testing.TB, target, at string) {
	t.Helper()
	_ = os.Remove(at)
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}
