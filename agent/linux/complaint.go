package linux

import (
	"strconv"
	"strings"
)

// complaint is what a tool says of one line of its input.
type complaint struct {
	number     int // of the line, from 1
	line, what string
}

// complaintOf reads text that begins with prefix, the number of a line of script and a colon.
func complaintOf(script, text, prefix string) (c complaint, ok bool) {
	text, ok = strings.CutPrefix(text, prefix)
	number, what, colon := strings.Cut(text, ":")
	n, err := strconv.Atoi(number)
	lines := strings.Split(script, "\n")
	if !ok || !colon || err != nil || script == "" || n < 1 || n > len(lines) {
		return complaint{}, false
	}
	return complaint{n, lines[n-1], strings.TrimPrefix(what, " ")}, true
}
