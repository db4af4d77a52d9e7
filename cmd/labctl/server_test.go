package main

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"labctl/transport/transporttest"
)

// startServer is the commands sshd NAME [LINE...] and box NAME [LINE...]: OpenSSH's server, with those lines of sshd_config
// besides, until the end of the tests. $NAME is its port then; the key in $WORK/key is let in, and $WORK/known_hosts knows the
// server's. That of sshd is this machine, where root logs in, and that of box the one of newBecomeBox.
func startServer(t *testing.T, ts *testscript.TestScript, start func(testing.TB, []ssh.PublicKey, ...string) *transporttest.SSHD, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: sshd|box NAME [LINE...]")
	}
	file := ts.MkAbs("key")
	if _, err := os.Stat(file); err != nil {
		_, made := transporttest.NewKey(t)
		for _, suffix := range []string{"", ".pub"} {
			b, err := os.ReadFile(made + suffix)
			ts.Check(err)
			ts.Check(os.WriteFile(file+suffix, b, 0o600))
		}
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(ts.ReadFile("key.pub")))
	ts.Check(err)
	s := start(t, []ssh.PublicKey{key}, args[1:]...)
	ts.Setenv(args[0], strconv.Itoa(s.Port))
	f, err := os.OpenFile(ts.MkAbs("known_hosts"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = fmt.Fprintf(f, "[127.0.0.1]:%d %s", s.Port, ssh.MarshalAuthorizedKey(s.HostKey))
	ts.Check(err)
	ts.Check(f.Close())
}

// becomeSetup lets alice become anybody but nobody by sudo, and anybody by doas, with her password.
const becomeSetup = `
cat >> /etc/sudoers <<'END'
alice ALL=(ALL:ALL,!nobody) ALL
Defaults logfile=/var/tmp/sudo.log
END
echo "permit alice" > /etc/doas.conf
touch /var/tmp/sudo.log; chmod 644 /var/tmp/sudo.log
`

// newBecomeBox is a machine with sudo, doas and su.
func newBecomeBox(t testing.TB, keys []ssh.PublicKey, lines ...string) *transporttest.SSHD {
	return transporttest.NewBox(t, keys, becomeSetup, lines...)
}
