package transport_test

import (
	"strings"
	"testing"

	"labctl/transport"
)

// over is a set-up that lays a file system in memory over each of some directories, with options of mount(8). The home
// directories stay, empty, and so does what sshd itself has in /tmp.
func over(options, dirs string) string {
	return `
own=$(dirname "$(dirname "$1")")
for d in ` + dirs + `; do
  if [ $d = /tmp ]; then mkdir -p /mnt/keep; mount --bind "$own" /mnt/keep; fi
  mount -t tmpfs -o mode=1777 tmpfs $d
  if [ $d = /tmp ]; then mkdir -p "$own"; mount --bind /mnt/keep "$own"; fi
  if [ $d = /home ]; then mkdir -m 700 /home/alice; chown alice: /home/alice; fi
  mount -o remount,` + options + ` $d
done
`
}

// ownTmp gives a box what it would share with this machine otherwise, and everywhere is all that the agent may go to.
const ownTmp, everywhere = "/tmp /dev/shm", "/tmp /dev/shm /var/tmp /home"

// Wherever a program may not run, or cannot be written, the agent goes elsewhere.
func TestWhereTheAgentGoes(t *testing.T) {
	for _, test := range []struct{ name, setup, want string }{
		{"a stock machine", "", "/home/alice/.cache/labctl"},
		{"noexec home", over("noexec", "/home"), "/var/tmp/labctl-2000"},
		{"noexec /tmp and home", over("noexec", "/tmp /home"), "/var/tmp/labctl-2000"},
		{"noexec /tmp, /var/tmp and home", over("noexec", "/tmp /var/tmp /home"), "/dev/shm/labctl-2000"},
		{"noexec but for /tmp", over("noexec", "/home /var/tmp /dev/shm"), "/tmp/labctl-2000"},
		{"read-only home", over("ro", "/home"), "/var/tmp/labctl-2000"},
		{"home of another", "chown root: /home/alice; chmod 755 /home/alice", "/var/tmp/labctl-2000"},
		{"no home", "rmdir /home/alice", "/var/tmp/labctl-2000"},
		{"full home", over("size=64k", "/home"), "/var/tmp/labctl-2000"},
		{"full disk and a memory file system", over("size=64k", "/home /var/tmp"), "/dev/shm/labctl-2000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := asAlice(t, over("rw", ownTmp)+test.setup)
			b := newBins(t)
			for range 2 {
				if got, err := talk(t, c, b, transport.AgentOptions{}, "frames"); err != nil || got != hello+"frames" {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if len(b.opened) != 1 {
				t.Errorf("pushed %d times", len(b.opened))
			}
			if out, _ := run(t, c, "ls -A "+test.want, ""); out != "agent-"+b.hash+"\n" {
				t.Errorf("%s holds %q", test.want, out)
			}
		})
	}
}

// Where there is no such place, the message names each that was tried, and what is the matter there.
func TestNoPlaceForTheAgent(t *testing.T) {
	for _, test := range []struct {
		name, setup string
		want        []string
	}{
		{"noexec everywhere", over("noexec", everywhere), []string{"/home/alice/.cache/labctl: programs may not run there: Permission denied",
			"/dev/shm/labctl-2000: programs may not run there", "mounted noexec", "SELinux"}},
		{"read-only everywhere", over("ro", everywhere), []string{"/home/alice/.cache/labctl: cannot be made: Read-only file system",
			"/tmp/labctl-2000: cannot be made: Read-only file system"}},
		{"full everywhere", over("size=64k", everywhere), []string{"/home/alice/.cache/labctl: no room for an agent of ", "/var/tmp/labctl-2000: no room for"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := talk(t, asAlice(t, test.setup), newBins(t), transport.AgentOptions{}, "hi")
			if err == nil {
				t.Fatal("no error")
			}
			t.Logf("message: %v", err)
			mention(t, err, append(test.want, "no directory where a program may run")...)
			if strings.Contains(err.Error(), "noexec") && test.name != "noexec everywhere" {
				t.Errorf("it is not that: %v", err)
			}
		})
	}
}
