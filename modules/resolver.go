package modules

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Resolver]{
		Name: "resolver",
		Doc: "Says which name servers the machine asks, in resolv.conf(5). Where that is a link to a file of systemd-resolved, the configuration of that says " +
			"(resolved.conf(5), a drop-in file of its own), and it is restarted.",
		Example: `resolver "/etc/resolv.conf" {
  nameservers = ["192.168.178.1"]
  search      = ["lab.example"]
}
resolver "/etc/netns/boxA/resolv.conf" { # for what ip netns exec runs
  nameservers = ["172.16.100.1"]
  options     = ["timeout:1", "attempts:1"]
}
`,
		Validate: (*Resolver).validate, Complete: (*Resolver).complete, Read: readResolver, ReadAbsent: readResolverAbsent, Apply: applyResolver,
	})
}

// Resolver is what a file of resolv.conf(5) says.
type Resolver struct {
	Path        string   `json:"path" lab:"key" doc:"The file: /etc/resolv.conf, or that of a network namespace, /etc/netns/NAME/resolv.conf (ip-netns(8))."`
	Nameservers []string `json:"nameservers,omitempty" doc:"IP addresses of the name servers, asked in this order; left alone if unset."`
	Search      []string `json:"search,omitempty" doc:"Domains that a name without dots is looked up in; left alone if unset."`
	Options     []string `json:"options,omitempty" lab:"set" doc:"Options of resolv.conf(5) such as ndots:2; left alone if unset. systemd-resolved has none."`
	File        string   `json:"file,omitempty" lab:"computed" doc:"The file that says it: path, or the drop-in file of systemd-resolved."`
}

const (
	resolvConf      = "/etc/resolv.conf"
	resolvedService = "systemd-resolved"
	resolvedDropIn  = "/etc/systemd/resolved.conf.d/labctl.conf"
)

func (r *Resolver) validate() error {
	if err := absolute("path", r.Path); err != nil {
		return err
	}
	for i, s := range r.Nameservers {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return argf(fmt.Sprintf("nameservers[%d]", i), "%q is not an IP address", s)
		}
		r.Nameservers[i] = ip.String()
	}
	for arg, words := range map[string][]string{"search": r.Search, "options": r.Options} {
		for i, w := range words {
			if w == "" || strings.ContainsAny(w, " \t\r\n\x00#;") {
				return argf(fmt.Sprintf("%s[%d]", arg, i), "%q is not one word", w)
			}
		}
	}
	return nil
}

func (r *Resolver) complete() error {
	if r.Nameservers == nil && r.Search == nil && r.Options == nil {
		return argf("nameservers", "says nothing: write nameservers, search or options")
	}
	return nil
}

// resolverFile is one of the two ways of writing it down.
type resolverFile struct {
	path  string
	words map[string][]string                         // by argument: the words that begin a line, the first one is written
	form  func(arg string, values []string) []string  // lines
	read  func(line string) (word string, v []string) // "": none of ours
	start []string                                    // lines of a new file
}

var plainWords = map[string][]string{"nameservers": {"nameserver"}, "search": {"search", "domain"}, "options": {"options"}}

func plainResolver(path string) resolverFile {
	return resolverFile{path: path, words: plainWords,
		form: func(arg string, values []string) []string {
			switch {
			case len(values) == 0:
				return nil
			case arg != "nameservers":
				return []string{plainWords[arg][0] + " " + strings.Join(values, " ")}
			}
			var out []string
			for _, v := range values {
				out = append(out, "nameserver "+v)
			}
			return out
		},
		read: func(line string) (string, []string) {
			f := strings.Fields(line)
			if len(f) < 2 || strings.ContainsAny(f[0][:1], "#;") {
				return "", nil
			}
			if f[0] == "nameserver" || f[0] == "domain" {
				f = f[:2]
			}
			return f[0], f[1:]
		}}
}

// resolvedResolver: an empty assignment takes back what other files have said (resolved.conf(5)).
func resolvedResolver() resolverFile {
	words := map[string][]string{"nameservers": {"DNS"}, "search": {"Domains"}}
	return resolverFile{path: resolvedDropIn, words: words, start: []string{"[Resolve]"},
		form: func(arg string, values []string) []string {
			return []string{words[arg][0] + "=" + strings.Join(values, " ")}
		},
		read: func(line string) (string, []string) {
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				return "", nil
			}
			return strings.TrimSpace(key), strings.Fields(value)
		}}
}

// resolvedLinks end the links that systemd-resolved has its users make (systemd-resolved(8), /etc/resolv.conf): /run and /usr/lib have
// more names than one.
var resolvedLinks = []string{"/systemd/resolve/stub-resolv.conf", "/systemd/resolve/resolv.conf", "/systemd/resolv.conf"}

// resolverOf tells where it is written down, which is nowhere behind a link: of what is written into a file that another program makes
// nothing would stay.
func resolverOf(ctx context.Context, h host.Host, r *Resolver) (resolverFile, error) {
	plain := plainResolver(r.Path)
	target, err := linkTarget(ctx, h, r.Path)
	switch {
	case err != nil || target == "":
		return plain, err
	case r.Path != resolvConf || !slices.ContainsFunc(resolvedLinks, func(end string) bool { return strings.HasSuffix(target, end) }):
		return plain, argf("path", "%s is a link to %s: if another program writes that, what it shall say has to be told to the program; otherwise name that file", r.Path, target)
	case r.Options != nil:
		return plain, argf("options", "%s is made by systemd-resolved, which has none", r.Path)
	}
	if target, err = linkTarget(ctx, h, resolvedDropIn); err == nil && target != "" {
		err = argf("path", "%s, where systemd-resolved would be told, is a link to %s: remove it", resolvedDropIn, target)
	}
	return resolvedResolver(), err
}

// linkTarget returns what a link says, and nothing of what is none.
func linkTarget(ctx context.Context, h host.Host, path string) (string, error) {
	f, err := h.Files().Stat(ctx, path, false)
	if errors.Is(err, host.ErrNotExist) {
		return "", nil
	}
	return f.Target, err
}

func (f resolverFile) argument(word string) string {
	for arg, words := range f.words {
		if slices.Contains(words, word) {
			return arg
		}
	}
	return ""
}

// values returns what lines say, by argument: name servers and options add up, of search lines the last one counts. Where
// there is one file only, what it does not say is empty; other files of systemd-resolved may say it.
func (f resolverFile) values(lines []string) map[string][]string {
	out := map[string][]string{}
	for arg := range plainWords {
		if f.path != resolvedDropIn {
			out[arg] = []string{}
		}
	}
	for _, l := range lines {
		word, v := f.read(l)
		switch arg := f.argument(word); {
		case arg == "":
		case len(v) == 0:
			out[arg] = []string{}
		case arg == "search" && f.path != resolvedDropIn:
			out[arg] = v
		default:
			out[arg] = append(out[arg], v...)
		}
	}
	return out
}

func readResolver(ctx context.Context, h host.Host, want *Resolver) (*Resolver, error) {
	f, err := resolverOf(ctx, h, want)
	if err != nil {
		return nil, err
	}
	if f.path != resolvedDropIn && len(want.Nameservers) > 3 {
		return nil, argf("nameservers", "resolv.conf(5) knows three at most")
	}
	if _, err = h.Files().Stat(ctx, f.path, false); errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	lines, err := fileLines(ctx, h, f.path)
	have := f.values(lines)
	return &Resolver{Path: want.Path, Nameservers: have["nameservers"], Search: have["search"], Options: have["options"], File: f.path}, err
}

func readResolverAbsent(ctx context.Context, h host.Host, want *Resolver) (*Resolver, error) {
	f, err := resolverOf(ctx, h, want)
	if err == nil && f.path == resolvConf {
		err = argf("ensure", "a machine without %s asks itself: say what it shall be, such as nameservers = []", resolvConf)
	}
	if err != nil {
		return nil, err
	}
	return readResolver(ctx, h, want)
}

func applyResolver(ctx context.Context, h host.Host, have, want *Resolver, d Diff) error {
	if want == nil {
		if err := h.Files().Remove(ctx, have.File, false); err != nil {
			return err
		}
		return restartResolved(ctx, h, have.File)
	}
	f, err := resolverOf(ctx, h, want)
	if err != nil {
		return err
	}
	lines, err := fileLines(ctx, h, f.path)
	if err != nil {
		return err
	}
	if have == nil {
		lines = f.start
	}
	for _, one := range []struct {
		arg    string
		values []string
	}{{"search", want.Search}, {"nameservers", want.Nameservers}, {"options", want.Options}} {
		if one.values != nil && (have == nil || d.Has(one.arg)) {
			lines = f.with(lines, one.arg, one.values)
		}
	}
	dir := path.Dir(f.path)
	if err := h.Files().Mkdir(ctx, dir, host.FileAttrs{}, true); err != nil && !errors.Is(err, host.ErrExist) {
		return err
	}
	if err := putLines(ctx, h, f.path, lines, host.FileAttrs{}); err != nil {
		return err
	}
	return restartResolved(ctx, h, f.path)
}

// with puts the lines of an argument in place of the first of those that are there.
func (f resolverFile) with(lines []string, arg string, values []string) []string {
	var out []string
	wrote := false
	put := func() {
		if !wrote {
			out = append(out, f.form(arg, values)...)
		}
		wrote = true
	}
	for _, l := range lines {
		if word, _ := f.read(l); f.argument(word) == arg {
			put()
			continue
		}
		out = append(out, l)
	}
	put()
	return out
}

// restartResolved has the new configuration read, if it was that of systemd-resolved and if it runs.
func restartResolved(ctx context.Context, h host.Host, file string) error {
	if file != resolvedDropIn {
		return nil
	}
	s, err := h.Services().Get(ctx, resolvedService)
	if errors.Is(err, host.ErrNotExist) || err == nil && (s.Running == nil || !*s.Running) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.Services().Act(ctx, host.Restart, resolvedService)
}
