//go:build !unix

package prompt

import (
	"context"
	"errors"

	"labctl/transport"
)

var errNoTTY = errors.New("not on this system")

func hasTerminal() error { return errNoTTY }

type terminal struct{}

func (terminal) ask(context.Context, transport.Question) ([]string, error) { return nil, errNoTTY }
