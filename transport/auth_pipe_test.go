package transport_test

import (
	"fmt"
	"os"
	"testing"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// A key that comes out of a command, as -i <(command) of a shell has it, can be read once, and is for all hosts.
func TestIdentityOfAPipe(t *testing.T) {
	me := newLogin(t)
	key, err := os.ReadFile(me.file)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fmt.Fprintf(w, "%s", key)
	w.Close()
	pool := newPool(t, transport.Options{})
	for _, name := range []string{"a", "b"} {
		s := transporttest.NewSSHD(t, me.keys())
		target := me.target(t, name, s.Addr, s.HostKey)
		target.IdentityFiles = []string{fmt.Sprintf("/dev/fd/%d", r.Fd())}
		dial(t, pool, target)
	}
}
