package sandbox

import (
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// SSHConfig writes an ssh_config(5) for the sandbox: `ssh -F FILE HOST` logs in to any host,
// through its jump hosts. What cannot be read back is not written.
func SSHConfig(w io.Writer, s *State) error {
	var b strings.Builder
	for _, h := range s.Hosts {
		fmt.Fprintf(&b, "Host %s\n", h.Name)
		name, port := h.Address, fmt.Sprint(h.Port)
		if h.Entry != "" {
			name, port, _ = net.SplitHostPort(h.Entry)
		}
		for _, option := range [][2]string{
			{"HostName", name},
			{"Port", port},
			{"User", h.User},
			{"IdentityFile", quote(h.IdentityFile)},
			{"IdentitiesOnly", "yes"},
			{"UserKnownHostsFile", quote(h.KnownHosts)},
			{"GlobalKnownHostsFile", "/dev/null"},
			{"HostKeyAlias", h.Name},
			{"StrictHostKeyChecking", "yes"},
			{"UpdateHostKeys", "no"},
			{"ProxyJump", strings.Join(h.Jump, ",")},
		} {
			if option[1] != "" {
				fmt.Fprintf(&b, "  %s %s\n", option[0], option[1])
			}
		}
		b.WriteByte('\n')
	}
	c, err := ssh_config.Decode(strings.NewReader(b.String()))
	if err != nil {
		return fmt.Errorf("write ssh_config of sandbox %s: %w", s.Name, err)
	}
	_, err = io.WriteString(w, c.String())
	return err
}

// quote keeps a path with spaces in one piece.
func quote(path string) string {
	if strings.ContainsAny(path, " \t") {
		return `"` + path + `"`
	}
	return path
}
