package persist

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"golang.org/x/crypto/ssh"

	"labctl/transport"
)

// fault is an error on its way: those that callers tell apart keep their types.
type fault struct {
	Kind  string          `json:",omitempty"`
	Text  string          `json:",omitempty"`
	Data  json.RawMessage `json:",omitempty"`
	Inner *fault          `json:",omitempty"`
}

// constants are the errors that are told apart by themselves.
var constants = map[string]error{
	"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "eof": io.EOF, "unexpected-eof": io.ErrUnexpectedEOF,
}

func encode(err error) *fault {
	if err == nil {
		return nil
	}
	for kind, c := range constants {
		if err == c { //nolint:errorlint // those inside are reached by unwrapping
			return &fault{Kind: kind}
		}
	}
	f, typed := &fault{Text: err.Error()}, any(nil)
	switch e := err.(type) { //nolint:errorlint // the same
	case *transport.Error:
		own := *e
		own.Err = nil
		f.Kind, typed = "transport", own
	case *transport.AuthError:
		own := *e
		own.Err = nil
		f.Kind, typed = "auth", own
	case *transport.HostKeyError:
		f.Kind, typed = "host-key", e
	case *transport.TimeoutError:
		f.Kind, typed = "timeout", e
	case *transport.SignalError:
		f.Kind, typed = "signal", e
	case *ssh.OpenChannelError:
		f.Kind, typed = "open", e
	}
	if typed != nil {
		f.Data, _ = json.Marshal(typed) // plain data
	}
	f.Inner = encode(errors.Unwrap(err))
	return f
}

func (f *fault) decode() error {
	if f == nil {
		return nil
	}
	if c := constants[f.Kind]; c != nil {
		return c
	}
	inner := f.Inner.decode()
	var err error
	switch f.Kind {
	case "transport":
		e := &transport.Error{}
		err = json.Unmarshal(f.Data, e)
		e.Err = inner
		return orText(e, err, f)
	case "auth":
		e := &transport.AuthError{}
		err = json.Unmarshal(f.Data, e)
		e.Err = inner
		return orText(e, err, f)
	case "host-key":
		e := &transport.HostKeyError{}
		return orText(e, json.Unmarshal(f.Data, e), f)
	case "timeout":
		e := &transport.TimeoutError{}
		return orText(e, json.Unmarshal(f.Data, e), f)
	case "signal":
		e := &transport.SignalError{}
		return orText(e, json.Unmarshal(f.Data, e), f)
	case "open":
		e := &ssh.OpenChannelError{}
		return orText(e, json.Unmarshal(f.Data, e), f)
	}
	return &told{text: f.Text, inner: inner}
}

func orText(e, failed error, f *fault) error {
	if failed != nil {
		return &told{text: f.Text}
	}
	return e
}

// told is an error of which only the words matter.
type told struct {
	text  string
	inner error
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.inner }
