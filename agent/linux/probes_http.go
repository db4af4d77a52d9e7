package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"labctl/modules/host"
)

// maxBody is how much of a response body is returned.
const maxBody = 64 << 10

func (p probes) HTTP(ctx context.Context, url string, timeout time.Duration) (int, []byte, error) {
	address, authority, path, err := splitURL(url)
	if err != nil {
		return 0, nil, err
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	c, err := p.dial(ctx, address, host.PingOptions{})
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	status, body, err := httpRequest{"GET", authority, path, nil}.text(c, maxBody)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(ctx.Err(), context.Canceled):
		return status, body, &host.Error{Op: "get", Object: url, Kind: host.ErrTimeout}
	case err != nil:
		return status, body, &host.Error{Op: "get", Object: url, Err: err}
	}
	return status, body, nil
}

// splitURL returns where to connect, what the Host header says, and the request target.
func splitURL(url string) (address, authority, path string, err error) {
	rest, ok := strings.CutPrefix(url, "http://")
	if !ok {
		return "", "", "", fmt.Errorf("get %q: only http:// is supported", url)
	}
	rest, _, _ = strings.Cut(rest, "#")
	authority, path = rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
		if path[0] == '?' {
			path = "/" + path
		}
	}
	if authority == "" || strings.ContainsAny(rest, " \r\n\t@") {
		return "", "", "", fmt.Errorf("get %q: not a URL of the form http://HOST[:PORT]/PATH", url)
	}
	if _, _, err := splitHostPort(authority); err == nil {
		return authority, authority, path, nil
	}
	return authority + ":80", authority, path, nil
}
