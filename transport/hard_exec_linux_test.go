package transport_test

import (
	"bytes"
	"strings"
	"testing"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// A policy of the machine that forbids to run what users have put there, as fapolicyd's and SELinux's do: some look at what
// the file is, so that only the agent itself shows it.
func TestPolicyForbidsExec(t *testing.T) {
	for _, test := range []struct {
		name      string
		forbidden func(head []byte) bool
		want      []string
	}{
		{"everything", func([]byte) bool { return true }, []string{"push agent: no directory where a program may run",
			"/home/alice/.cache/labctl: programs may not run there: Operation not permitted", "SELinux, AppArmor, fapolicyd"}},
		{"binaries", func(head []byte) bool { return bytes.HasPrefix(head, []byte("\x7fELF")) }, []string{"start agent: the command ended with status 126",
			"/home/alice/.cache/labctl/agent-", "Operation not permitted", "the agent is there and may not run", "SELinux, AppArmor, fapolicyd"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			me := newLogin(t)
			s := transporttest.NewBox(t, me.keys(), over("rw", everywhere))
			s.ForbidExec(t, test.forbidden, strings.Fields(everywhere)...)
			target := me.target(t, "box", s.Addr, s.HostKey)
			target.User = "alice"
			_, err := talk(t, dial(t, newPool(t, transport.Options{}), target), newBins(t), transport.AgentOptions{}, "hi")
			if err == nil {
				t.Fatal("no error")
			}
			t.Logf("message: %v", err)
			mention(t, err, test.want...)
		})
	}
}
