package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the format of hashed names, sshd(8)
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// appendKnown writes a line for name, hidden if hash says so, and key to the
// end of path. Other processes that do the same wait for each other; should
// one have been faster with the same line, nothing is written.
func (s *knownStore) appendKnown(path, name string, key ssh.PublicKey, hash bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(dirOf(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // also gives up the lock
	if err := lockFile(f); err != nil {
		return err
	}
	have := []byte(nil)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if have, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	if bytes.Contains(have, []byte(text)) && parseKnown(path, have).has(name, key) {
		return nil
	}
	if hash {
		name = hashName(name)
	}
	line := name + " " + text + "\n"
	if len(have) > 0 && have[len(have)-1] != '\n' {
		line = "\n" + line
	}
	if _, err := f.WriteString(line); err != nil { // one write: readers see all of it or nothing
		return err
	}
	s.files.forget(path)
	return nil
}

func (f *knownFile) has(name string, key ssh.PublicKey) bool {
	name = strings.ToLower(name)
	same := func(k *knownKey) bool { return k.marker == "" && k.is(key) }
	return slices.ContainsFunc(f.exact[name], same) ||
		slices.ContainsFunc(f.other, func(k *knownKey) bool { return same(k) && matchNames(k.names, name) })
}

// hashName hides a name as HashKnownHosts does; see matchHashed.
func hashName(name string) string {
	salt := make([]byte, sha1.Size)
	_, _ = rand.Read(salt) // never fails
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return "|1|" + base64.StdEncoding.EncodeToString(salt) + "|" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// trust remembers a key that could not be written for as long as the store is.
func (s *knownStore) trust(name string, key ssh.PublicKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwritten = append(s.unwritten, &knownKey{file: "this run", names: strings.ToLower(name), key: key})
}

// namesOf tells under which other names the files know a key; hashed ones stay
// hidden.
func (s *knownStore) namesOf(files []string, key ssh.PublicKey) []string {
	blob := key.Marshal()
	var out []string
	for _, path := range files {
		f, err := s.load(path)
		if err != nil {
			continue
		}
		for _, k := range f.all {
			if k.marker == "" && len(out) < 3 && bytes.Equal(k.key.Marshal(), blob) {
				name := k.names
				if strings.HasPrefix(name, "|") {
					name = "a hidden name"
				}
				out = append(out, fmt.Sprintf("%s (%s:%d)", name, k.file, k.line))
			}
		}
	}
	return out
}
