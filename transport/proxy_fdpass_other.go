//go:build !unix

package transport

import (
	"context"
	"errors"
	"net"
)

func dialByFdpass(context.Context, *Target, *Pool) (net.Conn, error) {
	return nil, errors.New("ProxyUseFdpass: connections cannot be passed on here")
}
