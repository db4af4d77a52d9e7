package transport

import "fmt"

// withheld stands for a secret where a Target is shown.
const withheld = "(sensitive)"

// plainTarget is a Target that fmt shows with everything in it.
type plainTarget Target

// Format shows t, by any verb, without what may not be seen: whoever prints one for a message or a trace should not have to
// think of it.
func (t Target) Format(s fmt.State, verb rune) {
	if t.Password != "" {
		t.Password = withheld
	}
	fmt.Fprintf(s, fmt.FormatString(s, verb), plainTarget(t))
}

var _ fmt.Formatter = Target{}
