package transporttest

import (
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/crypto/ssh"
)

// foreign is a machine type that a box on amd64 can have.
type foreign struct {
	wrap  []string // runs what believes to be on such a machine
	uname string   // what uname -m is made to say, if wrap does not
	qemu  string   // the emulator of its programs, if the kernel does not run them
	elf   string   // how those begin, and which bits of that count: binfmt_misc's magic and mask
}

// The magic is the head of an ELF file, 64-bit and little-endian, of type EXEC or DYN, with its e_machine (elf(5)).
var foreigns = map[string]foreign{
	"386": {wrap: []string{"setarch", "i686"}},
	"arm64": {uname: "aarch64", qemu: "qemu-aarch64-static", elf: `\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:` +
		`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`},
}

// userNamespace is a set-up that leaves a user namespace, in which users are who they are, at /run/users.
const userNamespace = `
unshare --user sleep 60 & h=$!
until [ "$(readlink /proc/$h/ns/user)" != "$(readlink /proc/$$/ns/user)" ]; do sleep 0.01; done
echo 0 0 65536 > /proc/$h/uid_map
echo 0 0 65536 > /proc/$h/gid_map
touch /run/users
mount --bind /proc/$h/ns/user /run/users
kill $h
`

// NewForeignBox is NewBox, on a machine that is of another type to whoever asks, and runs programs of that type as well as
// those of this one: 386 is what the kernel does by itself, arm64 is emulated by qemu-user. The emulator is registered with
// a binfmt_misc of the box's own, which takes a user namespace of its own (Linux 6.7).
func NewForeignBox(t testing.TB, goarch string, authorized []ssh.PublicKey, setup string, extra ...string) *SSHD {
	t.Helper()
	f, ok := foreigns[goarch]
	if runtime.GOARCH != "amd64" || !ok {
		skip(t, "needs an amd64 machine that can be like "+goarch)
	}
	if f.qemu == "" {
		needBox(t, f.wrap[0])
		return newSSHD(t, authorized, launch{setup: boxSetup + setup, wrap: f.wrap}, extra)
	}
	needBox(t, f.qemu, "nsenter")
	wrap := []string{"nsenter", "--user=/run/users", "unshare", "--mount", "--propagation", "private", "sh", "-ec", f.emulation() + `exec "$@"`, "foreign"}
	return newSSHD(t, authorized, launch{setup: boxSetup + userNamespace + setup, wrap: wrap}, extra)
}

// emulation is a script that has the kernel run such programs by the emulator, and says that the machine is such.
func (f foreign) emulation() string {
	return fmt.Sprintf(`
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %%s ':%s:M::%s:%s:F' > /proc/sys/fs/binfmt_misc/register
printf '#!/bin/sh\necho %s\n' > /run/uname
chmod 755 /run/uname
mount --bind /run/uname /usr/bin/uname
`, f.uname, f.elf, "/usr/bin/"+f.qemu, f.uname)
}
