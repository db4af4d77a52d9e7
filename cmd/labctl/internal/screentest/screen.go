// Package screentest is a terminal's screen for tests: what is left to see of what was written. It knows what labctl uses and
// refuses all else. It has no height: what scrolls away stays there to be looked at.
package screentest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Screen is a terminal that breaks lines at its width, and breaks them anew when that changes, as those of today do. The zero
// value breaks none.
type Screen struct {
	mu       sync.Mutex
	width    int
	lines    [][]rune // a wide character is followed by a 0
	row, col int
	rest     []byte // of a sequence that is not complete
	raw      int    // bytes
	most     int    // lines, at most
}

// Write takes in what is written to the terminal.
func (s *Screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw += len(b)
	s.rest = append(s.rest, b...)
	for len(s.rest) > 0 {
		s.fill()
		n, err := s.step(s.rest)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
		s.rest = s.rest[n:]
		s.most = max(s.most, len(s.lines))
	}
	return len(b), nil
}

func (s *Screen) fill() {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
}

// step takes in one thing from text and returns how long it was, 0 if it is not complete.
func (s *Screen) step(text []byte) (int, error) {
	switch text[0] {
	case '\x1b':
		return s.sequence(string(text))
	case '\n':
		s.row, s.col = s.row+1, 0
		return 1, nil
	case '\r':
		s.col -= s.col % s.columns()
		return 1, nil
	}
	if !utf8.FullRune(text) {
		return 0, nil
	}
	r, n := utf8.DecodeRune(text)
	s.put(r)
	if r >= 0x1100 { // good enough for CJK
		s.put(0)
	}
	return n, nil
}

func (s *Screen) put(r rune) {
	line := s.lines[s.row]
	for len(line) <= s.col {
		line = append(line, ' ')
	}
	line[s.col] = r
	s.lines[s.row] = line
	s.col++
}

func (s *Screen) columns() int {
	if s.width <= 0 {
		return 1 << 20
	}
	return s.width
}

// sequence knows CSI n A (up), CSI J (erase to the end) and CSI ... m (colour).
func (s *Screen) sequence(text string) (int, error) {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '[' && r >= '@' && r <= '~' })
	if end < 0 {
		return 0, nil
	}
	args := strings.TrimPrefix(text[:end], "\x1b[")
	switch text[end] {
	case 'm':
		return end + 1, nil
	case 'J':
		s.lines = append(s.lines[:s.row], s.lines[s.row][:min(s.col, len(s.lines[s.row]))])
		return end + 1, nil
	case 'A':
		up, err := strconv.Atoi(args)
		if err != nil {
			return 0, fmt.Errorf("sequence %q: %w", text[:end+1], err)
		}
		return end + 1, s.up(up)
	}
	return 0, fmt.Errorf("sequence %q is not known", text[:end+1])
}

// up moves the cursor by rows as they are seen: a line that is broken has several.
func (s *Screen) up(n int) error {
	for ; n > 0; n-- {
		switch w := s.columns(); {
		case s.col >= w:
			s.col -= w
		case s.row == 0:
			return fmt.Errorf("%d rows up from the first", n)
		default:
			s.row--
			s.col += max(len(s.lines[s.row])-1, 0) / w * w
		}
	}
	return nil
}

// Resize makes the screen as wide as that.
func (s *Screen) Resize(width int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width = width
}

// Raw is how many bytes were written.
func (s *Screen) Raw() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw
}

// Most is how many lines there were, at most.
func (s *Screen) Most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// String is what can be seen.
func (s *Screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range s.lines {
		out = append(out, strings.ReplaceAll(string(l), "\x00", ""))
	}
	text := strings.Join(out, "\n")
	if s.row == len(s.lines) && s.row > 0 {
		text += "\n"
	}
	return text
}
