package statedir_test

import (
	"testing"

	"labctl/cmd/labctl/internal/statedir"
)

func TestOf(t *testing.T) {
	for _, c := range []struct{ state, home, want string }{
		{"/state", "/home/ada", "/state/labctl"},
		{"", "/home/ada", "/home/ada/.local/state/labctl"},
		{"relative", "/home/ada", "/home/ada/.local/state/labctl"},
		{"/state", "", "/state/labctl"},
		{"", "", ""},
	} {
		got, err := statedir.Of(func(name string) string { return map[string]string{"XDG_STATE_HOME": c.state, "HOME": c.home}[name] })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}
