package transport

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Three keys of nobody, for lines and for hosts.
const fuzzKeys = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=`

// FuzzKnownHosts: whatever stands in a file, it is read, and a key that a line of its own revokes is never taken. Where
// x/crypto can read the file at all, and trusts a key by it, we do, but for the lines that it reads otherwise than OpenSSH.
func FuzzKnownHosts(f *testing.F) {
	var keys []ssh.PublicKey
	for text := range strings.SplitSeq(fuzzKeys, "\n") {
		key, err := publicKey(text)
		if err != nil {
			f.Fatal(err)
		}
		keys = append(keys, key)
		f.Add("box " + text + "\n")
		f.Add("[box]:2222,10.0.0.? " + text + " comment\n@revoked * " + text)
		f.Add("@cert-authority *.example,!box " + text + "\n|1|AAAA|BBBB " + text + "\n# x\n\x00")
		f.Add(knownhosts.HashHostname("box") + " " + text + "\nbox ssh-rsa AAAA\n@revoked " + knownhosts.HashHostname("box") + " " + text)
	}
	path := filepath.Join(f.TempDir(), "known_hosts")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		theirs, err := knownhosts.New(path)
		pool := NewPool(Options{})
		defer pool.Close()
		target := &Target{Name: "box", Address: "box", KnownHosts: []string{path}, HostKeyPolicy: PolicyStrict}
		for _, key := range keys {
			ours, newErr := newHostKeys(t.Context(), pool, target)
			if newErr != nil {
				t.Fatal(newErr)
			}
			verdict := ours.check("", nil, key)
			if revoked := ours.revokedBy(key); revoked != nil && verdict == nil {
				t.Errorf("line %d revokes a key that is taken", revoked.line)
			}
			if err != nil || verdict == nil || readOtherwise(text) {
				continue
			}
			if theirs("box:22", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}, key) == nil {
				t.Errorf("x/crypto takes the key, we say %v", verdict)
			}
		}
		for _, k := range parseKnown(path, []byte(text)).all {
			matchNames(k.names, "box")
			_ = k.known().String()
		}
	})
}

// readOtherwise tells lines that x/crypto takes for what OpenSSH (and so labctl) does not: names in upper case, ports in
// patterns, markers in odd places, blanks that are none.
func readOtherwise(text string) bool {
	for _, r := range text {
		if r > '~' || r < ' ' && r != '\n' {
			return true
		}
	}
	return strings.ContainsAny(text, "@|[]:!") || strings.ToLower(text) == ""
}
