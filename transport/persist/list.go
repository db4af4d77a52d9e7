package persist

import (
	"path/filepath"

	"labctl/transport"
)

// List returns the connections of every server whose socket is in dir.
func List(dir string) (out []transport.Kept, err error) {
	err = each(dir, request{Op: "list"}, func(l line) { out = append(out, l.List...) })
	return out, err
}

// End closes the connections whose names match one of the patterns (path.Match), and returns how many those are.
func End(dir string, patterns []string) (n int, err error) {
	err = each(dir, request{Op: "close", Pattern: patterns}, func(l line) { n += l.Count })
	return n, err
}

// each asks every server. One that does not answer is about to end, or stuck; it has nothing to tell.
func each(dir string, q request, take func(line)) error {
	sockets, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil {
		return err
	}
	for _, s := range sockets {
		c, err := open(s, q, patience)
		if err != nil {
			continue
		}
		var l line
		if c.receive(&l) == nil {
			take(l)
		}
		_ = c.Close()
	}
	return nil
}
