package transport

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the format of hashed names, sshd(8)
	"encoding/base64"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// knownKey is one line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE
// FORMAT).
type knownKey struct {
	file   string
	line   int
	marker string // "", "cert-authority" or "revoked"
	names  string // the first field as written
	key    ssh.PublicKey

	fingerprint string // SHA256:..., if there is no key: pinned in the inventory
}

// The markers of lines.
const (
	markAuthority = "cert-authority"
	markRevoked   = "revoked"
)

// is reports whether key is the one of this line.
func (k *knownKey) is(key ssh.PublicKey) bool {
	if k.key == nil {
		return k.fingerprint == ssh.FingerprintSHA256(key)
	}
	return sameKey(k.key, key)
}

func (k *knownKey) known() KnownKey {
	if k.key == nil {
		return KnownKey{File: k.file, Line: k.line, Fingerprint: k.fingerprint}
	}
	return KnownKey{File: k.file, Line: k.line, Type: k.key.Type(), Fingerprint: ssh.FingerprintSHA256(k.key)}
}

// knownFile is a parsed file. Lines that cannot be parsed (a key type of the
// future, SSH 1) are passed over, as OpenSSH does: one of them must not make
// every other host unknown.
type knownFile struct {
	exact map[string][]*knownKey // by a plain name, lower case
	other []*knownKey            // hashed names, wildcards, negation: matched one by one
	all   []*knownKey
}

// knownStore is what files of known_hosts say, and what was trusted without writing it down.
type knownStore struct {
	files     parsedFiles[*knownFile]
	mu        sync.Mutex
	unwritten []*knownKey // trusted for as long as the store is
}

// lookup returns every line of the files that speaks of name, which is a host,
// "[host]:port" or an alias, in the order of the files.
func (s *knownStore) lookup(files []string, name string) ([]*knownKey, error) {
	name = strings.ToLower(name)
	var found []*knownKey
	for _, path := range files {
		f, err := s.load(path)
		if err != nil {
			return nil, err
		}
		found = append(found, f.find(name)...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.unwritten {
		if k.names == name {
			found = append(found, k)
		}
	}
	return found, nil
}

// find returns the lines of the file that speak of name, in lower case.
func (f *knownFile) find(name string) []*knownKey {
	found := f.exact[name]
	for _, k := range f.other {
		if matchNames(k.names, name) {
			found = append(found[:len(found):len(found)], k)
		}
	}
	return found
}

func (s *knownStore) load(path string) (*knownFile, error) {
	f, err := s.files.load(path, func(data []byte) (*knownFile, error) { return parseKnown(path, data), nil })
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) { // as with ssh
		return &knownFile{}, nil
	}
	return f, err
}

func parseKnown(path string, data []byte) *knownFile {
	f := &knownFile{exact: map[string][]*knownKey{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		k := parseKnownLine(lines.Text())
		if k == nil {
			continue
		}
		k.file, k.line = path, n
		f.all = append(f.all, k)
		if strings.ContainsAny(k.names, "*?!|") {
			f.other = append(f.other, k)
			continue
		}
		for name := range strings.SplitSeq(strings.ToLower(k.names), ",") {
			f.exact[name] = append(f.exact[name], k)
		}
	}
	return f
}

// parseKnownLine returns nil for a comment and for what it does not understand.
func parseKnownLine(line string) *knownKey {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return nil
	}
	k := &knownKey{}
	if marker, ok := strings.CutPrefix(fields[0], "@"); ok {
		if k.marker = marker; marker != markAuthority && marker != markRevoked {
			return nil
		}
		fields = fields[1:]
	}
	if len(fields) < 3 {
		return nil
	}
	blob, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		return nil
	}
	if k.key, err = ssh.ParsePublicKey(blob); err != nil || k.key.Type() != fields[1] {
		return nil
	}
	k.names = fields[0]
	return k
}

// matchNames matches name, in lower case, against the first field of a line: a
// hashed name, or a list of patterns of which none that begins with ! may match.
func matchNames(names, name string) bool {
	if strings.HasPrefix(names, "|") {
		return matchHashed(names, name)
	}
	return matchList(strings.ToLower(names), name)
}

// matchList matches s against a comma-separated list of patterns (ssh_config(5),
// PATTERNS).
func matchList(patterns, s string) bool {
	found := false
	for pattern := range strings.SplitSeq(patterns, ",") {
		negated := strings.HasPrefix(pattern, "!")
		if MatchPattern(strings.TrimPrefix(pattern, "!"), s) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

// matchHashed matches |1|salt|hash, where hash is HMAC-SHA1(salt, name).
func matchHashed(field, name string) bool {
	parts := strings.Split(field, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), want)
}

// MatchPattern matches s against a pattern of ssh_config(5), PATTERNS: * is any
// run of characters, ? exactly one.
func MatchPattern(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// knownName is the name of host and port in known_hosts.
func knownName(host string, port int) string {
	if port == 22 || port == 0 {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}
