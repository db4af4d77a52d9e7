package linux

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// httpRequest is the little of HTTP/1.1 (RFC 9112) that probes, downloads and container engines need: net/http would more
// than double the agent.
type httpRequest struct {
	method, authority, path string
	body                    []byte // JSON
}

// text sends the request on c and returns the status and the first limit bytes of the body.
func (q httpRequest) text(c io.ReadWriter, limit int64) (int, []byte, error) {
	status, _, r, err := q.send(c)
	if err != nil {
		return status, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r, limit))
	return status, body, err
}

// send sends the request on c and returns the answer; the body is read as far as the caller likes.
func (q httpRequest) send(c io.ReadWriter) (int, map[string]string, io.Reader, error) {
	head := q.method + " " + q.path + " HTTP/1.1\r\nHost: " + q.authority + "\r\nUser-Agent: labctl\r\nAccept: */*\r\nConnection: close\r\n"
	if q.body != nil || q.method == "POST" {
		head += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(q.body)) + "\r\n"
	}
	if _, err := c.Write(append([]byte(head+"\r\n"), q.body...)); err != nil {
		return 0, nil, nil, err
	}
	r := bufio.NewReader(c)
	for {
		status, header, err := readHead(r)
		if err != nil {
			return 0, nil, nil, err
		}
		if status/100 == 1 { // 100 Continue, 103 Early Hints: the real answer follows
			continue
		}
		return status, header, httpBody(r, status, header), nil
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

// httpBody is the body that follows a head. It fails where it ends before it should.
func httpBody(r *bufio.Reader, status int, header map[string]string) io.Reader {
	if status == 204 || status == 304 {
		return strings.NewReader("")
	}
	if strings.Contains(strings.ToLower(header["transfer-encoding"]), "chunked") {
		return &chunked{r: r}
	}
	if n, err := strconv.ParseInt(header["content-length"], 10, 64); err == nil && n >= 0 {
		return &sized{r, n}
	}
	return r
}

// sized is a body whose length is known.
type sized struct {
	r    io.Reader
	left int64
}

func (s *sized) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunked is a body in chunked coding (RFC 9112 section 7.1).
type chunked struct {
	r     *bufio.Reader
	chunk sized
	begun bool
	ended bool
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.chunk.left == 0 && !c.ended {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.ended {
		return 0, io.EOF
	}
	return c.chunk.Read(p)
}

// next goes to the next chunk.
func (c *chunked) next() error {
	if c.begun {
		if _, err := c.r.Discard(2); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
	}
	line, err := readLine(c.r)
	if err != nil {
		return fmt.Errorf("read chunk: %w", err)
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("read chunk: size %q", size)
	}
	c.begun, c.ended, c.chunk = true, n == 0, sized{c.r, n}
	return nil
}
