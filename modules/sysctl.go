package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Sysctl]{
		Name: "sysctl",
		Doc:  "Manages a kernel parameter as seen from one network namespace and, if wanted, its line in a file for the next boot. ensure = \"absent\" removes the line; a parameter itself cannot be absent.",
		Example: `sysctl "net.ipv4.ip_forward" {
  value   = 1
  persist = "/etc/sysctl.d/90-lab.conf"
}`,
		Validate: (*Sysctl).validate, Read: readSysctl, ReadAbsent: readPersisted, Apply: applySysctl,
	})
}

// Sysctl is a kernel parameter (sysctl(8)).
type Sysctl struct {
	InNetNS
	Key     string `json:"key" lab:"key" doc:"Name with dots; a dot in a device name is written as a slash: net.ipv4.conf.eth0/100.rp_filter."`
	Value   string `json:"value,omitempty" lab:"required" doc:"Value; blanks between words are not compared."`
	Persist string `json:"persist,omitempty" doc:"File that gets the line key = value (sysctl.d(5)); left alone if unset."`
}

func (s *Sysctl) validate() error {
	s.Key = dotted(s.Key)
	s.Value = oneBlank(s.Value)
	switch {
	case s.Key == "" || strings.HasPrefix(s.Key, ".") || strings.HasSuffix(s.Key, ".") || strings.Contains(s.Key, "..") || strings.ContainsAny(s.Key, " \t\n="):
		return argf("key", "%q is not the name of a kernel parameter", s.Key)
	case strings.Contains(s.Value, "\n"):
		return argf("value", "a value is one line")
	case s.NetNS != "" && !strings.HasPrefix(s.Key, "net."):
		return argf("netns", "%s is the same in every network namespace: only parameters under net. differ", s.Key)
	case s.NetNS != "" && s.Persist != "":
		return argf("persist", "files of sysctl.d(5) are applied at boot to the host's own namespace only")
	case s.Persist != "" && !strings.HasPrefix(s.Persist, "/"):
		return argf("persist", "%q is not an absolute path", s.Persist)
	}
	return nil
}

// dotted spells a key that is written as a path with dots.
func dotted(key string) string {
	slash, dot := strings.IndexByte(key, '/'), strings.IndexByte(key, '.')
	if slash >= 0 && (dot < 0 || slash < dot) {
		return strings.NewReplacer(".", "/", "/", ".").Replace(key)
	}
	return key
}

// oneBlank makes one blank of any blanks.
func oneBlank(s string) string { return strings.Join(strings.Fields(s), " ") }

func readSysctl(ctx context.Context, h host.Host, want *Sysctl) (*Sysctl, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	value, err := n.Sysctls().Get(ctx, want.Key)
	if err != nil {
		return nil, want.explain(ctx, h, err)
	}
	if want.Value, err = likeNow(want.Key, want.Value, oneBlank(value)); err != nil {
		return nil, err
	}
	have := &Sysctl{InNetNS: want.InNetNS, Key: want.Key, Value: oneBlank(value)}
	if want.Persist == "" {
		return have, nil
	}
	line, err := persisted(ctx, h, want)
	if line != nil && oneBlank(*line) == want.Value {
		have.Persist = want.Persist
	}
	return have, err
}

// readPersisted returns what ensure = "absent" would remove: the line in the file.
func readPersisted(ctx context.Context, h host.Host, want *Sysctl) (*Sysctl, error) {
	if want.Persist == "" {
		return nil, argf("persist", "a kernel parameter cannot be absent; only its line in a file can")
	}
	line, err := persisted(ctx, h, want)
	if err != nil || line == nil {
		return nil, err
	}
	return &Sysctl{Key: want.Key, Value: *line, Persist: want.Persist}, nil
}

// explain tells a parameter that only the host's own namespace has from one that does not exist at all.
func (s *Sysctl) explain(ctx context.Context, h host.Host, err error) error {
	if s.NetNS == "" || !errors.Is(err, host.ErrNotExist) {
		return err
	}
	own, e := h.Net(ctx, "")
	if e != nil {
		return err
	}
	if _, e = own.Sysctls().Get(ctx, s.Key); e != nil {
		return err
	}
	return fmt.Errorf("%w: only the host's own network namespace has it; leave netns out", err)
}

func applySysctl(ctx context.Context, h host.Host, have, want *Sysctl, d Diff) error {
	if want == nil {
		return persist(ctx, h, have, true)
	}
	if d.Has("value") {
		n, err := want.net(ctx, h)
		if err != nil {
			return err
		}
		if err := n.Sysctls().Set(ctx, want.Key, want.Value); err != nil {
			return err
		}
	}
	if d.Has("persist") {
		return persist(ctx, h, want, false)
	}
	return nil
}

// assignment splits a line of sysctl.d(5): ok is false for comments and blank lines.
func assignment(line string) (key, value string, ok bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return "", "", false
	}
	key, value, ok = strings.Cut(strings.TrimPrefix(line, "-"), "=")
	return dotted(strings.TrimSpace(key)), strings.TrimSpace(value), ok
}

// persisted returns the value that the file gives the key, the last one as sysctl(8) reads it; nil: none.
func persisted(ctx context.Context, h host.Host, s *Sysctl) (*string, error) {
	lines, err := fileLines(ctx, h, s.Persist)
	if err != nil {
		return nil, err
	}
	var found *string
	for _, l := range lines {
		if key, value, ok := assignment(l); ok && key == s.Key {
			found = &value
		}
	}
	return found, nil
}

// persist puts the line in place of the first one for the key, or at the end, and drops all others for it.
func persist(ctx context.Context, h host.Host, s *Sysctl, remove bool) error {
	lines, err := fileLines(ctx, h, s.Persist)
	if err != nil {
		return err
	}
	var out []string
	written := remove
	for _, l := range lines {
		if key, _, ok := assignment(l); !ok || key != s.Key {
			out = append(out, l)
			continue
		}
		if !written {
			out, written = append(out, s.Key+" = "+s.Value), true
		}
	}
	if !written {
		out = append(out, s.Key+" = "+s.Value)
	}
	return putLines(ctx, h, s.Persist, out, host.FileAttrs{})
}
