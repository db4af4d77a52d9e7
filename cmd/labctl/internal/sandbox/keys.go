package sandbox

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"labctl/cmd/labctl/internal/wholefile"
)

// keyring is the client's key and every host's; both outlive a host that is started again.
type keyring struct {
	dir        string
	authorized string            // public half of the client key
	hosts      map[string]string // host name -> private key, PEM
}

// loadKeys reads the keys under dir and makes the client's if there is none.
func loadKeys(dir string) (*keyring, error) {
	k := &keyring{dir: dir, hosts: map[string]string{}}
	path := filepath.Join(dir, identity)
	private, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		private, err = newKey("labctl sandbox " + filepath.Base(dir))
		if err == nil {
			err = wholefile.Write(wholefile.File{Path: path, Content: private, Private: true})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("client key: %w", err)
	}
	if k.authorized, err = publicHalf(private); err != nil {
		return nil, fmt.Errorf("client key %s: %w", path, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, hostKeys))
	if err == nil {
		err = json.Unmarshal(text, &k.hosts)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	return k, nil
}

// path is the client's key.
func (k *keyring) path() string { return filepath.Join(k.dir, identity) }

// prepare makes the keys of the hosts that have none.
func (k *keyring) prepare(machines []machine) error {
	changed := false
	for _, m := range machines {
		if k.hosts[m.Name] != "" {
			continue
		}
		private, err := newKey(m.Name)
		if err != nil {
			return fmt.Errorf("host key of %q: %w", m.Name, err)
		}
		k.hosts[m.Name], changed = string(private), true
	}
	if !changed {
		return nil
	}
	text, err := json.Marshal(k.hosts)
	if err != nil {
		return err
	}
	return wholefile.Write(wholefile.File{Path: filepath.Join(k.dir, hostKeys), Content: text, Private: true})
}

func newKey(comment string) ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// publicHalf is the line of authorized_keys for a private key.
func publicHalf(private []byte) (string, error) {
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), nil
}

// knownHostsLine knows a host by every name under which a client may meet it.
func knownHostsLine(h HostState) (string, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.HostKey))
	if err != nil {
		return "", fmt.Errorf("host key of %q: %w", h.Name, err)
	}
	aliases := []string{h.Name}
	for _, address := range []string{h.Name, h.Address, h.IP.String()} {
		aliases = append(aliases, knownhosts.Normalize(net.JoinHostPort(address, fmt.Sprint(h.Port))))
	}
	if h.Entry != "" {
		aliases = append(aliases, knownhosts.Normalize(h.Entry))
	}
	return knownhosts.Line(unique(aliases), key), nil
}

func unique(list []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
