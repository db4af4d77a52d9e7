package host

import (
	"context"
	"io"
)

// Home takes the bytes of a file that a module brings to the controller, in pieces as they come. Where it goes there is the
// controller's affair.
type Home interface {
	io.Writer
	// Whole says that this is all of it: without that the controller drops what has come. It returns what was brought.
	Whole() (sha256 string, size int64, err error)
}

type homeKey struct{}

// WithHome returns a context for a call that may bring a file home.
func WithHome(ctx context.Context, h Home) context.Context {
	return context.WithValue(ctx, homeKey{}, h)
}

// HomeOf returns the way home of a call; nil: there is nobody to take a file.
func HomeOf(ctx context.Context) Home {
	h, _ := ctx.Value(homeKey{}).(Home)
	return h
}
