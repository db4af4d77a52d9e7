package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// However a host is printed, logged or encoded, its passwords do not show.
func TestSecretsDoNotShow(t *testing.T) {
	host := &Host{Name: "box", SSH: SSH{User: "alice", Password: NewSecret("swordfish"), BecomePassword: NewSecret("hunter2")}}
	var shown []string
	for _, v := range []any{host, *host, host.SSH, &host.SSH, []SSH{host.SSH}, map[string]*Host{"a": host}, host.Password, Group{SSH: host.SSH}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		shown = append(shown, log.String())
	}
	out, err := json.Marshal(host.SSH)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(shown, string(out)) {
		for _, secret := range []string{"swordfish", "hunter2"} {
			if strings.Contains(text, secret) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", secret)) {
				t.Errorf("%s shows in %s", secret, text)
			}
		}
	}
	if out := fmt.Sprintf("%+v", host.SSH); !strings.Contains(out, "User:alice") || !strings.Contains(out, "Password:(sensitive)") {
		t.Errorf("%s", out)
	}
}
