package transporttest

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Passwords of the users of a box. That of alice has all that a shell could stumble over.
const (
	AlicePassword = `al ice's %s $HOME\t"pass"`
	RootPassword  = "root secret"
)

// boxSetup gives a mount namespace accounts of its own: the files of this machine stay as they are, what is written to
// /etc goes to memory. The passwords are crypt(5)'s SHA-512 of those above.
const boxSetup = `
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
for dir in /home /root /run; do mount -t tmpfs -o mode=755 tmpfs $dir; done
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mkdir -p /run/sshd
cp "$1" /etc/box_keys && chmod 644 /etc/box_keys
cat > /etc/passwd <<'END'
root:x:0:0:root:/root:/bin/sh
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
alice:x:2000:2000::/home/alice:/bin/bash
bob:x:2001:2001::/home/bob:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
END
cat > /etc/group <<'END'
root:x:0:
tty:x:5:
shadow:x:42:
alice:x:2000:
bob:x:2001:
nogroup:x:65534:
END
cat > /etc/shadow <<'END'
root:$6$labctlsalt$bARPkySZoaSusJW5QYxGnMAe1z3287x2eJouVYQsp2/7NvIhvl11o8w2qWT0JWpZyEwGAY8sHO38W1pFlSvLs/:19000:0:99999:7:::
sshd:*:19000:0:99999:7:::
alice:$6$labctlsalt$eeWt3MdFycPYxiXFlpZh7TV.ruGOIQqDTRacm58zWTLPiOf2feFwUGsFFxl2AltUoRoTIpQycuJLg7tii3dhK/:19000:0:99999:7:::
bob:*:19000:0:99999:7:::
nobody:*:19000:0:99999:7:::
END
chmod 640 /etc/shadow
rm -rf /etc/sudoers.d /etc/nsswitch.conf
echo 'Defaults env_reset' > /etc/sudoers && chmod 440 /etc/sudoers
echo > /etc/doas.conf
for service in sudo su doas; do printf '%s\n' 'auth sufficient pam_rootok.so' 'auth required pam_unix.so nodelay' \
  'account required pam_unix.so' 'session required pam_permit.so' > /etc/pam.d/$service; done
for user in alice bob; do mkdir /home/$user && chown $user:$user /home/$user && chmod 700 /home/$user; done
`

// NewBox starts an OpenSSH server in a mount namespace with accounts of its own: root and alice, who have passwords, and
// bob, who has none; all have home directories in memory, and the keys let in any of them. Its processes are its own, too, and
// end with it. setup is a shell script that goes on from there (set -e); extra are lines of sshd_config(5). It takes root.
func NewBox(t testing.TB, authorized []ssh.PublicKey, setup string, extra ...string) *SSHD {
	t.Helper()
	needBox(t)
	return newSSHD(t, authorized, launch{setup: boxSetup + setup}, extra)
}

func needBox(t testing.TB, tools ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "needs root")
	}
	for _, tool := range append(tools, "unshare") {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, "needs "+tool)
		}
	}
}
