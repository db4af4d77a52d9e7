package transport

import (
	"bytes"
	"strconv"
	"strings"
)

// pushedWord is how pushScript begins a line that says how many bytes are there. It is the far side that counts: what has
// been written here may wait in buffers on the way, of which a jump host alone has 2 MiB.
const pushedWord = "labctl-pushed "

// pushProgress takes what pushScript says, and passes over what login scripts do.
type pushProgress struct {
	tell func(done int64)
	line []byte
}

func (p *pushProgress) Write(b []byte) (int, error) {
	p.line = append(p.line, b...)
	for {
		line, rest, whole := bytes.Cut(p.line, []byte("\n"))
		if !whole {
			break
		}
		p.line = rest
		_, number, ours := strings.Cut(string(line), pushedWord)
		if n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64); ours && err == nil {
			p.tell(n)
		}
	}
	if len(p.line) > noiseLimit {
		p.line = nil
	}
	return len(b), nil
}
