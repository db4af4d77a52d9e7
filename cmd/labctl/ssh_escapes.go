package main

import (
	"errors"
	"fmt"
	"io"
)

var errEscaped = errors.New("ended by an escape")

// escapes is what is typed on a terminal, without the escapes of ssh(1) ("ESCAPE CHARACTERS"): they count at the beginning of a
// line only.
type escapes struct {
	in      io.Reader
	out     io.Writer
	char    byte
	quit    func()
	atStart bool // of a line
	pending bool // the character has come, and is held back
}

func (e *escapes) Read(p []byte) (int, error) {
	if len(p) < 2 { // one byte in may be two out
		return 0, io.ErrShortBuffer
	}
	buf := make([]byte, len(p)/2)
	for {
		n, err := e.in.Read(buf)
		out := p[:0]
		for _, c := range buf[:n] {
			out = e.take(out, c)
		}
		if len(out) > 0 || err != nil {
			return len(out), err
		}
	}
}

// take adds to out what c is for the far side.
func (e *escapes) take(out []byte, c byte) []byte {
	switch {
	case e.pending:
		e.pending, e.atStart = false, c == '\r' || c == '\n'
		switch c {
		case '.':
			e.quit()
			return out
		case '?':
			e.help()
			e.atStart = true
			return out
		case e.char:
			return append(out, c)
		}
		return append(out, e.char, c)
	case c == e.char && e.atStart:
		e.pending = true
		return out
	}
	e.atStart = c == '\r' || c == '\n'
	return append(out, c)
}

func (e *escapes) help() {
	fmt.Fprintf(e.out, "%[1]c?\r\n %[1]c.  end the connection\r\n %[1]c?  this list\r\n %[1]c%[1]c  the character itself\r\n", e.char)
}
