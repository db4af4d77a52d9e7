package host

import (
	"context"
	"io"
)

// Connector is a machine that makes connections over TCP for others. A name is looked up as the machine is set up to; the
// words of the error are for who is far away.
type Connector interface {
	Connect(ctx context.Context, name string, port uint16) (Stream, error)
}

// Stream is a connection whose two directions end one by one.
type Stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}
