package sshconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// maxDepth bounds Include, as READCONF_MAX_DEPTH of readconf.c does.
const maxDepth = 16

// file is a configuration file taken apart, with an index of the Host lines that name hosts one by one: asking for 10 000
// hosts of a file with 10 000 blocks must not look at 100 million.
type file struct {
	blocks  []*block
	byName  map[string][]int
	general []int // blocks to look at for every host
}

// block is a Host or Match line and what it governs; the first one of a file has no such line.
type block struct {
	head  *line
	lines []*line
}

// indexed reports whether the block need not be looked at for hosts that it does not name. An Include must be followed
// wherever it stands, and a keyword that is not known is a fault unless an IgnoreUnknown before says otherwise.
func (b *block) indexed() bool {
	return b.head != nil && b.head.key == "host" && b.head.literal() &&
		!slices.ContainsFunc(b.lines, func(l *line) bool { return l.kw == nil || l.key == "include" })
}

func newFile(blocks []*block) *file {
	f := &file{blocks: blocks, byName: map[string][]int{}}
	for i, b := range blocks {
		if !b.indexed() {
			f.general = append(f.general, i)
			continue
		}
		for _, p := range b.head.patterns {
			if list := f.byName[p.text]; len(list) == 0 || list[len(list)-1] != i {
				f.byName[p.text] = append(list, i)
			}
		}
	}
	return f
}

// candidates are the blocks that may say something about a host, in their order.
func (f *file) candidates(name string) []int {
	named := f.byName[name]
	if len(named) == 0 {
		return f.general
	}
	all := slices.Concat(f.general, named)
	slices.Sort(all)
	return all
}

// source says where a configuration comes from.
type source struct {
	path     string
	user     bool // the user's own, which may include ~/...
	private  bool // others may not be able to write it
	optional bool // it need not exist
}

// store keeps files that have been read.
type store struct {
	mu    sync.Mutex
	files map[source]*file
}

// get reads a file, or returns it if it is known. All its faults are found at once, but for those that depend on the host.
func (s *store) get(src source, depth int) (*file, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("read %s: more than %d files include each other", src.path, maxDepth)
	}
	s.mu.Lock()
	f := s.files[src]
	s.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := s.read(src, depth)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[src] = f
	return f, nil
}

func (s *store) read(src source, depth int) (*file, error) {
	text, err := readText(src)
	if err != nil {
		return nil, err
	}
	if depth > 0 && Exported([]byte(text)) { // what it says is in the inventory, maybe another by now
		text = ""
	}
	blocks := []*block{{}}
	var faults []error
	num := 0
	for t := range strings.Lines(text) {
		num++
		l, err := parseLine(strings.TrimSuffix(t, "\n"), src.path, num, src.user)
		switch {
		case err != nil:
			faults = append(faults, err)
			continue
		case l == nil:
			continue
		case l.key == "host" || l.key == "match":
			blocks = append(blocks, &block{head: l})
			continue
		}
		if l.key == "include" && !dynamic(l) { // to find its faults now
			if _, err := s.include(l, l.args, depth); err != nil {
				faults = append(faults, err)
			}
		}
		last := blocks[len(blocks)-1]
		last.lines = append(last.lines, l)
	}
	return newFile(blocks), firstOf(faults)
}

// firstOf is one error that stands for all.
func firstOf(faults []error) error {
	switch len(faults) {
	case 0:
		return nil
	case 1:
		return faults[0]
	}
	return fmt.Errorf("%w (and %d more faults)", faults[0], len(faults)-1)
}

func readText(src source) (string, error) {
	data, err := os.ReadFile(src.path)
	switch info, statErr := os.Stat(src.path); {
	case src.optional && errors.Is(err, fs.ErrNotExist):
		return "", nil
	case statErr == nil && info.IsDir(): // which OpenSSH reads as empty
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read ssh_config: %w", err)
	}
	if src.private {
		if err := private(src.path); err != nil {
			return "", fmt.Errorf("read ssh_config: bad owner or permissions: %w", err)
		}
	}
	return string(data), nil
}

// dynamic reports whether what an Include names depends on the host.
func dynamic(l *line) bool {
	return slices.ContainsFunc(l.args, func(a string) bool { return strings.Contains(a, "%") || strings.Contains(a, "${") })
}

func checkInclude(l *line) error {
	if slices.Contains(l.args, "") {
		return errMissing
	}
	return nil
}

// include reads the files that match the patterns, each pattern's in the order of their names. Relative ones are beside the
// user's configuration or the system's, as the line is.
func (s *store) include(l *line, patterns []string, depth int) ([]*file, error) {
	var files []*file
	for _, pattern := range patterns {
		names, err := l.glob(pattern)
		if err != nil {
			return nil, l.errorf("Include: %w", err)
		}
		for _, name := range names {
			f, err := s.get(source{path: name, user: l.user, private: true}, depth+1)
			if err != nil {
				return nil, fmt.Errorf("%w (included by %s)", err, l.at())
			}
			files = append(files, f)
		}
	}
	return files, nil
}

func (l *line) glob(pattern string) ([]string, error) {
	switch {
	case strings.HasPrefix(pattern, "~") && !l.user:
		return nil, fmt.Errorf("%q: the system's configuration may not include a user's file", pattern)
	case strings.HasPrefix(pattern, "~"):
		path, err := expandTilde(pattern)
		if err != nil {
			return nil, nil //nolint:nilerr // glob(3) leaves it alone, and nothing has that name
		}
		pattern = path
	case !filepath.IsAbs(pattern) && l.user:
		pattern = filepath.Join(expandHomeOf(""), ".ssh", pattern)
	case !filepath.IsAbs(pattern):
		pattern = filepath.Join("/etc/ssh", pattern)
	}
	names, err := filepath.Glob(pattern)
	if err != nil { // a pattern that is none stands for itself
		if _, err := os.Lstat(pattern); err == nil {
			return []string{pattern}, nil
		}
		return nil, nil
	}
	slices.Sort(names)
	return names, nil
}
