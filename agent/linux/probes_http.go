package linux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"
)

// maxBody is how much of a response body is returned.
const maxBody = 64 << 10

// HTTP speaks the little of HTTP/1.1 (RFC 9112) that a probe needs: net/http would more than double the agent.
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
	c, err := p.dial(ctx, address, 0)
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	status, body, err := exchange(c, authority, path)
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

func exchange(c io.ReadWriter, authority, path string) (int, []byte, error) {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: labctl\r\nAccept: */*\r\nConnection: close\r\n\r\n", path, authority)
	if err != nil {
		return 0, nil, err
	}
	r := bufio.NewReader(c)
	for {
		status, header, err := readHead(r)
		if err != nil {
			return 0, nil, err
		}
		if status/100 == 1 { // 100 Continue, 103 Early Hints: the real answer follows
			continue
		}
		body, err := readBody(r, status, header)
		return status, body, err
	}
}

// readHead reads the status line and the header, names in lower case.
func readHead(r *bufio.Reader) (int, map[string]string, error) {
	line, err := readLine(r)
	if err != nil {
		return 0, nil, fmt.Errorf("read status: %w", err)
	}
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil {
		return 0, nil, fmt.Errorf("read status: %q is not HTTP", line)
	}
	header := map[string]string{}
	for range 1000 {
		if line, err = readLine(r); err != nil {
			return status, nil, fmt.Errorf("read header: %w", err)
		}
		if line == "" {
			return status, header, nil
		}
		name, value, _ := strings.Cut(line, ":")
		header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	return status, nil, errors.New("read header: it does not end")
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n') // bounded by the reader's buffer
	if err == io.EOF && len(line) == 0 {
		return "", errors.New("connection was closed without an answer")
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

func readBody(r *bufio.Reader, status int, header map[string]string) ([]byte, error) {
	if status == 204 || status == 304 {
		return nil, nil
	}
	if strings.Contains(strings.ToLower(header["transfer-encoding"]), "chunked") {
		return readChunks(r)
	}
	limit, want := int64(maxBody), int64(-1)
	if n, err := strconv.ParseInt(header["content-length"], 10, 64); err == nil && n >= 0 {
		want = min(n, limit)
		limit = want
	}
	body, err := io.ReadAll(io.LimitReader(r, limit))
	if err == nil && int64(len(body)) < want {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// readChunks reads a body in chunked coding (RFC 9112 section 7.1) up to maxBody.
func readChunks(r *bufio.Reader) ([]byte, error) {
	var body []byte
	for len(body) < maxBody {
		line, err := readLine(r)
		if err != nil {
			return body, fmt.Errorf("read chunk: %w", err)
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 32)
		if err != nil {
			return body, fmt.Errorf("read chunk: size %q", size)
		}
		if n == 0 {
			return body, nil
		}
		chunk, err := io.ReadAll(io.LimitReader(r, min(int64(n), int64(maxBody-len(body)))))
		body = append(body, chunk...)
		if err != nil || len(body) == maxBody {
			return body, err
		}
		if uint64(len(chunk)) < n {
			return body, io.ErrUnexpectedEOF
		}
		if _, err := r.Discard(2); err != nil {
			return body, fmt.Errorf("read chunk: %w", err)
		}
	}
	return body, nil
}
