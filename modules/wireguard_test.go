package modules_test

import (
	"encoding/json"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"
)

// Neither what a play says nor a snapshot may hold a secret key; and a key that comes from a file is compared like any other.
func TestWireGuardKeepsSecrets(t *testing.T) {
	const private, shared = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak="
	text := private + "\n"
	h := memory.FromSnapshot(&host.Snapshot{Files: map[string]host.FileState{"/key": {File: host.File{Path: "/key", Type: host.RegularFile, Mode: 0o600, Size: int64(len(text))}, Content: &text}}})
	m, err := modules.Default.Lookup("wireguard")
	if err != nil {
		t.Fatal(err)
	}
	peer := `"peer":[{"public_key":"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=","preshared_key":"` + shared + `"}]`
	for i, params := range []string{`{"name":"wg0","private_key":"` + private + `",` + peer + `}`, `{"name":"wg0","private_key_file":"/key",` + peer + `}`} {
		res, err := m.Apply(t.Context(), h, modulestest.State("wireguard", params))
		if err != nil || (res.Diff.Action == modules.None) != (i == 1) {
			t.Fatalf("%s: %v, %v", params, res.Diff, err)
		}
		n, err := h.Net(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := n.WireGuards().Get(t.Context(), "wg0") // as in a snapshot
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal([]any{res, recorded})
		if err != nil || strings.Contains(string(b), private) || strings.Contains(string(b), shared) || !strings.Contains(string(b), "sha256:") {
			t.Errorf("%s: %v", b, err)
		}
	}
	if _, err := m.Diff(t.Context(), h, modulestest.State("wireguard", `{"name":"wg0","private_key_file":"/etc/hostname"}`)); err == nil {
		t.Error("took a file that holds no key")
	}
}
