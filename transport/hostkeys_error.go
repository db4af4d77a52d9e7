package transport

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// HostKeyError says that a host's key is not the one to expect: unknown (Known
// is empty), changed (Known holds what was expected), or Revoked.
type HostKeyError struct {
	Name        string // as in known_hosts: host, [host]:port or an alias
	Type        string // of the key offered
	Fingerprint string // of the key offered, SHA256:...
	Line        string // the known_hosts line for the key offered
	Known       []KnownKey
	Revoked     bool
	Refused     string   // why the user, who was asked, did not accept it
	Certificate string   // what is wrong with the certificate that came with the key
	Files       []string // that were searched; the first takes new keys

	private bool // Name is not the only name that was looked up
}

// KnownKey is an entry of a known_hosts file.
type KnownKey struct {
	File        string // or "the inventory", or "KnownHostsCommand"
	Line        int    // 0 if it is no line of a file
	Type        string // empty if only the fingerprint is known
	Fingerprint string
}

func (k KnownKey) place() string {
	if k.Line == 0 {
		return k.File
	}
	return fmt.Sprintf("%s:%d", k.File, k.Line)
}

func (k KnownKey) String() string { return strings.TrimSpace(k.Type + " " + k.Fingerprint) }

func (e *HostKeyError) Error() string {
	text := fmt.Sprintf("the key of %s (%s %s) is unknown: it is not in %s", e.Name, e.Type, e.Fingerprint, strings.Join(e.Files, ", "))
	switch {
	case e.Revoked:
		text = fmt.Sprintf("the key of %s (%s %s) is revoked by %s", e.Name, e.Type, e.Fingerprint, e.Known[0].place())
	case len(e.Known) > 0:
		text = fmt.Sprintf("the key of %s has changed: %s holds %s, the machine offers %s %s",
			e.Name, e.Known[0].place(), e.Known[0], e.Type, e.Fingerprint)
	case e.Refused != "":
		text = fmt.Sprintf("the key of %s (%s %s) is unknown and was not accepted: %s", e.Name, e.Type, e.Fingerprint, e.Refused)
	}
	if e.Certificate != "" {
		text += "; its certificate is no help: " + e.Certificate
	}
	return text
}

func (e *HostKeyError) hint() string {
	switch {
	case e.Revoked || e.Refused != "":
		return ""
	case len(e.Known) > 0 && e.Known[0].File == knownByCommand:
		return "if the machine was rebuilt, let KnownHostsCommand print its new key; if not, someone stands between"
	case len(e.Known) > 0 && e.Known[0].Line == 0:
		return "if the machine was rebuilt, put its new key into host_key; if not, someone stands between"
	case len(e.Known) > 0:
		text := fmt.Sprintf("if the machine was rebuilt, or its address given to another, forget the old key with: ssh-keygen -R '%s' -f %s; if not, someone stands between", e.Name, shellWord(e.Known[0].File))
		if e.private {
			text += "; if that line is about another machine with the same private address, give this one a host_key_alias"
		}
		return text
	case len(e.Files) == 0:
		return ""
	case e.Files[0] == os.DevNull: // nothing can be added to it
		return fmt.Sprintf("compare the fingerprint, then have host_key = %q say it, or set host_key_policy = \"accept-new\"", e.Fingerprint)
	}
	return fmt.Sprintf("compare the fingerprint, then add the key with: echo '%s' >> %s; or set host_key_policy = \"accept-new\"", e.Line, shellWord(e.Files[0]))
}

// shellWord quotes a path where a shell would not take it for one word.
func shellWord(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$`&;<>|(){}*?[]#~!") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func (h *hostKeys) mismatch(key ssh.PublicKey, known []*knownKey) *HostKeyError {
	key = plainKey(key)
	e := &HostKeyError{Name: h.name, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Files: h.files, private: h.private != "",
		Line: h.newName() + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))}
	for _, k := range known {
		e.Known = append(e.Known, k.known())
	}
	// The line of the same type is the one that has changed.
	slices.SortStableFunc(e.Known, func(a, b KnownKey) int {
		switch {
		case a.Type == e.Type && b.Type != e.Type:
			return -1
		case a.Type != e.Type && b.Type == e.Type:
			return 1
		}
		return 0
	})
	if len(known) > 0 && h.private != "" && e.Known[0].Line > 0 {
		if k := known[slices.IndexFunc(known, func(k *knownKey) bool { return k.known() == e.Known[0] })]; matchNames(k.names, strings.ToLower(h.private)) {
			e.Name, e.private = h.private, false
		}
	}
	return e
}
