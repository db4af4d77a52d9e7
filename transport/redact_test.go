package transport

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// However a target is printed, its password and those of its hops do not show; the rest does.
func TestTargetHidesSecrets(t *testing.T) {
	hop := &Target{Name: "hop", User: "bob", Password: "hunter2"}
	target := &Target{Name: "box", User: "alice", Password: "swordfish", Via: hop}
	type holder struct {
		By  *Target
		Val Target
		Any any
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{target, *target, holder{target, *target, *target}, []*Target{target}, map[string]Target{"a": *target}, errors.New(fmt.Sprint(target))} {
			out := fmt.Sprintf(verb, v)
			for _, secret := range []string{"hunter2", "swordfish", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%x", "swordfish")} {
				if strings.Contains(out, secret) {
					t.Errorf("%s of %T shows a password: %s", verb, v, out)
				}
			}
		}
		if out := fmt.Sprintf(verb, target); verb == "%+v" && (!strings.Contains(out, "User:alice") || !strings.Contains(out, "User:bob")) {
			t.Errorf("%s", out)
		}
	}
	other := *target
	other.Password = "another"
	if target.key() == other.key() {
		t.Error("targets with different passwords share a connection")
	}
	other = *target
	other.Via = &Target{Name: "hop", User: "bob"}
	if target.key() == other.key() {
		t.Error("targets whose hops have different passwords share a connection")
	}
}
