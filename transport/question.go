package transport

import "context"

// Question is something that only the user can answer: a passphrase, a
// password, a code of a second factor, or whether host keys are right.
type Question struct {
	Hop    string // inventory name of the machine that wants to know; empty if it is not about one
	Title  string // one line, without a newline; may be empty
	Text   string // further lines to show first, such as a server's instruction or a list of fingerprints; may be empty
	Fields []Field
}

// Field is one answer that is wanted.
type Field struct {
	Prompt string // as shown, with its colon and blank
	Echo   bool   // the answer may be seen
}

// Ask puts a question to the user and returns one answer per field. It is
// called from several goroutines; what it shows must not be mixed up. An
// error means that there is nobody to ask, or that they gave up.
type Ask func(ctx context.Context, q Question) ([]string, error)
