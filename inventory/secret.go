package inventory

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Secret is a password or a passphrase: whoever prints, logs or encodes it, or what it is part of, shows only that there is
// one. It is not a string, since fmt shows what is inside of a pointer to one, asked by a verb that does not suit, without
// asking it. The zero value is no secret.
type Secret struct{ text *string }

// NewSecret makes one of text, or none of an empty text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

const withheld = "(sensitive)"

func (s Secret) shown() string {
	if s.text == nil {
		return ""
	}
	return withheld
}

// Format implements fmt.Formatter for all verbs.
func (s Secret) Format(f fmt.State, verb rune) { fmt.Fprintf(f, fmt.FormatString(f, verb), s.shown()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.shown()) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.shown()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }
