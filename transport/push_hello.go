package transport

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// scanHello reads up to AgentMagic and returns a reader that begins with it, or
// the line that says the agent is missing. With an error comes what was seen
// in their place.
func scanHello(r io.Reader) (out io.Reader, m *missingAgent, seen []byte, err error) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		seen = append(seen, buf[:n]...)
		if i := bytes.Index(seen, []byte(AgentMagic)); i >= 0 {
			return io.MultiReader(bytes.NewReader(seen[i:]), r), nil, nil, nil
		}
		if m := findMissing(seen); m != nil {
			return nil, m, nil, nil
		}
		if err != nil {
			return nil, nil, seen, err
		}
		if len(seen) > noiseLimit {
			return nil, nil, nil, fmt.Errorf("login scripts of the machine print more than %d bytes, beginning with %q", noiseLimit, seen[:80])
		}
	}
}

// findMissing parses the line of findScript, once all of it is there.
func findMissing(seen []byte) *missingAgent {
	i := bytes.Index(seen, []byte(missingPrefix))
	if i < 0 {
		return nil
	}
	text, _, whole := strings.Cut(string(seen[i+len(missingPrefix):]), "\n")
	if !whole {
		return nil
	}
	machine, rest, _ := strings.Cut(text, " ")
	dir, rest, ok := strings.Cut(rest, " unpack=")
	if !ok {
		return nil
	}
	programs, tried, _ := strings.Cut(rest, " ")
	return &missingAgent{machine: machine, dir: dir, tried: strings.TrimSuffix(tried, ";"),
		unpack: strings.FieldsFunc(programs, func(r rune) bool { return r == ',' })}
}
