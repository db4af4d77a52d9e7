package modules

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/accounts"
)

func init() {
	Register(Spec[AuthorizedKey]{
		Name: "authorized_key",
		Doc: "Keeps public keys in a user's authorized_keys (sshd(8)), and the directory and the file such that sshd accepts them. A key is the same whatever comment is " +
			"behind it.",
		Example: `authorized_key "root" {
  key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEwHq1sqrWlRhDpsPTEzRqbhqPZnZPKQEGMjoOKbXVrG alice@laptop"
}
authorized_key "root" {
  key     = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEwHq1sqrWlRhDpsPTEzRqbhqPZnZPKQEGMjoOKbXVrH ci"
  options = ["restrict", "command=\"/usr/local/bin/deploy\""]
}
`,
		Validate: (*AuthorizedKey).validate, Read: readAuthorized, ReadAbsent: readAuthorizedAbsent, Apply: applyAuthorized,
	})
}

// AuthorizedKey is one key, or several, of a user's authorized_keys.
type AuthorizedKey struct {
	User        string   `json:"user" lab:"key" doc:"Whose keys these are."`
	Key         string   `json:"key,omitempty" lab:"required,text" doc:"Public key as in a .pub file; several, one a line."`
	Options     []string `json:"options,omitempty" lab:"option" doc:"What stands before each of the keys, such as restrict or from=\"10.0.0.0/8\"."`
	Exclusive   bool     `json:"exclusive,omitempty" lab:"option" doc:"Remove all other keys."`
	Path        string   `json:"path,omitempty" lab:"option" default:".ssh/authorized_keys" doc:"File, absolute; its directory is then left alone. Unset: in the user's home."`
	Permissions string   `json:"permissions,omitempty" lab:"derived" doc:"Owner and mode of the file, and of the directory .ssh."`

	keys []authorized // of Key
}

// authorized is a line of authorized_keys: options, type, key in base64, comment.
type authorized struct{ options, kind, blob, comment string }

func (k authorized) line() string {
	return strings.TrimSpace(strings.TrimPrefix(k.options+" ", " ") + k.kind + " " + k.blob + " " + k.comment)
}

// parseAuthorized splits a line. The type is what the key itself says first (RFC 4253 section 6.6), so that it is found
// behind options that contain anything.
func parseAuthorized(line string) (authorized, bool) {
	line = strings.TrimSpace(line)
	words := quotedWords(line)
	for i := 0; i+1 < len(words) && i < 2; i++ {
		kind, blob := words[i], words[i+1]
		if b, err := base64.StdEncoding.DecodeString(blob); err == nil && len(b) > 4 && keyType(b) == kind {
			k := authorized{kind: kind, blob: blob}
			if i == 1 {
				k.options = words[0]
			}
			_, k.comment, _ = strings.Cut(line, blob)
			k.comment = strings.TrimSpace(k.comment)
			return k, line[0] != '#'
		}
	}
	return authorized{}, false
}

func keyType(b []byte) string {
	n := binary.BigEndian.Uint32(b)
	if int64(n) > int64(len(b)-4) {
		return ""
	}
	return string(b[4 : 4+n])
}

// quotedWords splits at blanks that are not within double quotes, where a backslash keeps a quote from ending them (sshd(8)).
func quotedWords(line string) []string {
	quoted := false
	var last rune
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' && last != '\\' {
			quoted = !quoted
		}
		last = r
		return (r == ' ' || r == '\t') && !quoted
	})
}

func (a *AuthorizedKey) validate() error {
	if a.Path != "" {
		if err := absolute("path", a.Path); err != nil {
			return err
		}
	}
	for i, o := range a.Options {
		if o == "" || strings.ContainsAny(o, "\r\n") || len(quotedWords(o)) != 1 {
			return argf(fmt.Sprintf("options[%d]", i), "%q is not one option; a value with blanks stands in double quotes", o)
		}
	}
	for line := range strings.Lines(a.Key) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if strings.Contains(line, "PRIVATE KEY-----") {
			return argf("key", "this is a private key: give the public one, of the file that ends with .pub")
		}
		k, ok := parseAuthorized(line)
		if !ok {
			return argf("key", "%q is not a public key such as \"ssh-ed25519 AAAA... alice@laptop\"", line)
		}
		if a.Options != nil {
			k.options = strings.Join(a.Options, ",")
		}
		if !slices.ContainsFunc(a.keys, func(o authorized) bool { return o.blob == k.blob }) {
			a.keys = append(a.keys, k)
		}
	}
	if a.Key != "" && len(a.keys) == 0 {
		return argf("key", "there is no key in it")
	}
	a.Key = keyText(a.keys)
	return validAccount("user", a.User)
}

func keyText(keys []authorized) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k.line() + "\n")
	}
	return b.String()
}

// authorizedFile is where the keys of a user are.
type authorizedFile struct {
	path, dir    string // dir: the directory that is looked after, "" for none
	owner, group string
	lines        []string
}

// file finds the file and reads it.
func (a *AuthorizedKey) file(ctx context.Context, h host.Host) (*authorizedFile, error) {
	data, err := readAccountData(ctx, h)
	if err != nil {
		return nil, err
	}
	u := accounts.Find(data.users, a.User)
	if u == nil {
		return nil, argf("user", "there is no user %q; module user makes one", a.User)
	}
	f := &authorizedFile{path: a.Path, owner: a.User, group: data.groupName(u[accounts.GID])}
	if f.path == "" {
		f.dir = path.Join(u[accounts.Home], ".ssh")
		f.path = f.dir + "/authorized_keys"
	}
	for _, p := range []string{f.dir, f.path} {
		if p == "" || a.Path != "" {
			continue
		}
		if st, err := lstat(ctx, h, p, false); err != nil || st != nil && st.Type == host.SymbolicLink {
			return nil, orError(err, fmt.Errorf("%s is a symbolic link, which its owner may turn to any file: set path", p))
		}
	}
	f.lines, err = fileLines(ctx, h, f.path)
	return f, err
}

// permissions tells owner and mode of the file and its directory as they are, and as sshd with StrictModes wants them, which is
// what is there unless others could write or it is someone else's.
func (f *authorizedFile) permissions(ctx context.Context, h host.Host) (have, want string, err error) {
	for _, p := range []struct {
		path string
		mode uint32
	}{{f.dir, 0o700}, {f.path, 0o600}} {
		if p.path == "" {
			continue
		}
		st, err := stat(ctx, h, p.path, false)
		if err != nil {
			return "", "", err
		}
		good := fmt.Sprintf("%s %04o %s ", p.path, p.mode, f.owner)
		want += good
		if st != nil && st.Owner == f.owner && st.Mode&0o022 == 0 && (p.path != f.dir || st.Mode&0o700 == 0o700) {
			have += good // tighter or looser for reading is the user's choice
		} else if st != nil {
			have += fmt.Sprintf("%s %04o %s ", p.path, st.Mode, st.Owner)
		}
	}
	return strings.TrimSpace(have), strings.TrimSpace(want), nil
}

func readAuthorized(ctx context.Context, h host.Host, want *AuthorizedKey) (*AuthorizedKey, error) {
	f, err := want.file(ctx, h)
	if err != nil {
		return nil, err
	}
	have := want.found(f, want.Exclusive, func(there, asked authorized) bool { return there.options == asked.options })
	if have == nil {
		return nil, nil
	}
	have.Permissions, want.Permissions, err = f.permissions(ctx, h)
	return have, err
}

// readAuthorizedAbsent returns the keys that would go: those asked for.
func readAuthorizedAbsent(ctx context.Context, h host.Host, want *AuthorizedKey) (*AuthorizedKey, error) {
	if data, err := accounts.User(ctx, h.Files(), want.User); data == nil && want.Path == "" {
		return nil, err // the keys went with the user
	}
	f, err := want.file(ctx, h)
	if err != nil {
		return nil, err
	}
	return want.found(f, false, nil), nil
}

// found returns the keys of the file that are asked for, and with others all, in the order of what is asked for and with its
// comments where same says that they are as asked; nil: none.
func (a *AuthorizedKey) found(f *authorizedFile, others bool, same func(there, asked authorized) bool) *AuthorizedKey {
	have := &AuthorizedKey{User: a.User, Path: a.Path}
	byBlob := map[string]authorized{}
	var rest []authorized
	for _, l := range f.lines {
		k, ok := parseAuthorized(l)
		if !ok {
			continue
		}
		byBlob[k.blob] = k
		if others && !a.asks(k.blob) {
			rest = append(rest, k)
		}
	}
	for _, asked := range a.keys {
		there, ok := byBlob[asked.blob]
		if !ok {
			continue
		}
		if same != nil && same(there, asked) {
			there = asked
		}
		have.keys = append(have.keys, there)
	}
	if have.Key = keyText(append(slices.Clone(have.keys), rest...)); have.Key == "" {
		return nil
	}
	return have
}

func (a *AuthorizedKey) asks(blob string) bool {
	return slices.ContainsFunc(a.keys, func(k authorized) bool { return k.blob == blob })
}

func applyAuthorized(ctx context.Context, h host.Host, have, want *AuthorizedKey, d Diff) error {
	a := want
	if want == nil {
		a = have
	}
	f, err := a.file(ctx, h)
	if err != nil {
		return err
	}
	attrs := host.FileAttrs{}
	if have == nil || d.Has("permissions") {
		if attrs, err = f.prepare(ctx, h); err != nil {
			return err
		}
	}
	if want == nil {
		return putLines(ctx, h, f.path, a.without(f.lines), attrs)
	}
	return putLines(ctx, h, f.path, a.merged(f.lines), attrs)
}

// prepare makes the directory, or puts it right, and returns the attributes for the file.
func (f *authorizedFile) prepare(ctx context.Context, h host.Host) (host.FileAttrs, error) {
	own := func(m uint32) host.FileAttrs { return host.FileAttrs{Mode: &m, Owner: f.owner, Group: f.group} }
	if f.dir == "" {
		return own(0o600), nil
	}
	st, err := lstat(ctx, h, f.dir, false)
	switch {
	case err != nil:
	case st == nil:
		err = inMissingDirectory(h.Files().Mkdir(ctx, f.dir, own(0o700), false))
	case st.Owner != f.owner || st.Mode&0o022 != 0 || st.Mode&0o700 != 0o700:
		err = h.Files().SetAttrs(ctx, f.dir, own(0o700))
	}
	return own(0o600), err
}

// without returns the lines but those of a's keys.
func (a *AuthorizedKey) without(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		k, ok := parseAuthorized(l)
		return ok && a.asks(k.blob)
	})
}

// merged returns the lines with a's keys among them: one that is there keeps its place and, if its options are right, its
// comment.
func (a *AuthorizedKey) merged(lines []string) []string {
	var out []string
	there := map[string]bool{}
	for _, l := range lines {
		k, ok := parseAuthorized(l)
		if !ok {
			out = append(out, l)
			continue
		}
		i := slices.IndexFunc(a.keys, func(o authorized) bool { return o.blob == k.blob })
		if i >= 0 && a.keys[i].options != k.options {
			l = a.keys[i].line()
		}
		if i < 0 && !a.Exclusive || i >= 0 && !there[k.blob] {
			out = append(out, l)
		}
		there[k.blob] = true
	}
	for _, k := range a.keys {
		if !there[k.blob] {
			out = append(out, k.line())
		}
	}
	return out
}
