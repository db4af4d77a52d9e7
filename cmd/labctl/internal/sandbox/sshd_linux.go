package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sshdConfig leaves at OpenSSH's defaults whatever a client may run into: MaxStartups,
// MaxSessions, PerSourcePenalties, forwarding.
const sshdConfig = `# written by labctl sandbox
Port %d
HostKey /etc/ssh/ssh_host_ed25519_key
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AuthorizedKeysFile .ssh/authorized_keys
UsePAM no
UseDNS no
X11Forwarding no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
`

const sshdLog = "/var/log/sshd.log"

// configureSSHD writes sshd's files; the keys of this computer's own sshd go away.
func configureSSHD(port int, hostKey string) error {
	old, _ := filepath.Glob("/etc/ssh/ssh_host_*")
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/etc/ssh", "/run/sshd", "/var/empty"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/etc/ssh/ssh_host_ed25519_key", []byte(hostKey), 0o600); err != nil {
		return err
	}
	return os.WriteFile("/etc/ssh/sshd_config", fmt.Appendf(nil, sshdConfig, port), 0o644)
}

// findSSHD looks where distributions keep it: not every PATH has sbin, and sshd wants to be
// started by its absolute path.
func findSSHD() (string, error) {
	path := os.Getenv("PATH") + ":/usr/sbin:/usr/local/sbin:/sbin"
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, "sshd"); filepath.IsAbs(file) && isFile(file) {
			return file, nil
		}
	}
	return "", errors.New("no sshd on this computer: apt-get install openssh-server")
}

// awaitListener returns once something listens on the port in this network namespace. It reads the
// kernel's tables: a connection that says nothing would count as an offence (PerSourcePenalties). It is patient: while the
// kernel takes down a namespace with a thousand bridges, which it does for half a minute with the rtnetlink lock held, sshd
// stands still in its first look at the addresses.
func awaitListener(port int, gone func() bool) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if listening("/proc/net/tcp", port) || listening("/proc/net/tcp6", port) {
			return nil
		}
		if gone() {
			text, _ := os.ReadFile(sshdLog)
			return fmt.Errorf("sshd ended at once: %s", bytes.TrimSpace(text))
		}
	}
	return fmt.Errorf("sshd does not listen on port %d", port)
}

// listening looks for a socket in state 0A, TCP_LISTEN (Documentation/networking/proc_net_tcp.rst).
func listening(table string, port int) bool {
	text, _ := os.ReadFile(table)
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], suffix) && f[3] == "0A" {
			return true
		}
	}
	return false
}
