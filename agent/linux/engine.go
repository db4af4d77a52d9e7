package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"labctl/modules/codec"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// engineSockets are where Docker and Podman answer (dockerd(8), podman-system-service(1)). The first that does is taken.
var engineSockets = []string{"/var/run/docker.sock", "/run/podman/podman.sock"}

// engine is the container engine of a host. Podman speaks the API of Docker, too.
type engine struct {
	sockets []string
	paths   map[string]string // of the namespaces of containers, by name; guarded by Host.mu

	mu     sync.Mutex
	name   string                // docker or podman; "": not asked yet
	images map[string]host.Image // by ID
}

var errNoEngine = errors.New("no container engine answers: install docker.io and start its service, or podman and podman.socket")

// connect opens a connection to the engine.
func (e *engine) connect() (*os.File, error) {
	cause := error(errNoEngine)
	for _, path := range e.sockets {
		f, err := dialUnix(path)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.ENOENT) {
			cause = fmt.Errorf("connect to %s: %w", path, err)
		}
	}
	err := &host.Error{Op: "ask container engine", Kind: host.ErrUnsupported, Err: cause}
	if errors.Is(cause, unix.EACCES) {
		err.Kind = host.ErrPermission
	}
	return nil, err
}

func dialUnix(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// maxAnswer bounds what the engine may answer, the progress of a pull included.
const maxAnswer = 16 << 20

// exchange sends one request, with in as its body if it is not nil, and returns the answer to it.
func (e *engine) exchange(ctx context.Context, method, path string, in any) ([]byte, error) {
	q := httpRequest{method: method, authority: "engine", path: path}
	if in != nil {
		b, err := codec.Marshal(in)
		if err != nil {
			return nil, err
		}
		q.body = b
	}
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	status, body, err := q.text(c, maxAnswer)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("ask container engine: %w", err)
	case status >= 400:
		return nil, engineRefusal(status, body)
	}
	return body, nil
}

// call is exchange with the answer decoded into out, unless that is nil.
func (e *engine) call(ctx context.Context, method, path string, in, out any) error {
	body, err := e.exchange(ctx, method, path, in)
	if err != nil || out == nil {
		return err
	}
	if err := codec.Unmarshal(body, out); err != nil {
		return fmt.Errorf("ask container engine: %w", err)
	}
	return nil
}

// engineOp is the operation of an error in the words of the engine.
const engineOp = "container engine"

// engineRefusal is what the engine says when it will not.
func engineRefusal(status int, body []byte) error {
	var m struct {
		Message string `json:"message"`
	}
	if codec.Unmarshal(body, &m) != nil || m.Message == "" {
		m.Message = fmt.Sprintf("status %d", status)
	}
	e := &host.Error{Op: engineOp, Err: errors.New(strings.TrimSpace(m.Message))}
	switch {
	case status == 404:
		e.Kind = host.ErrNotExist
	case status == 409, strings.HasSuffix(m.Message, "already in use"): // Podman's way to say 409
		e.Kind = host.ErrExist
	}
	return e
}

// Engine tells which one answers: docker or podman.
func (e *engine) Engine(ctx context.Context) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.name != "" {
		return e.name, nil
	}
	var v struct{ Components []struct{ Name string } }
	if err := e.call(ctx, "GET", "/version", nil, &v); err != nil {
		return "", err
	}
	e.name = "docker"
	if len(v.Components) > 0 && strings.HasPrefix(v.Components[0].Name, "Podman") {
		e.name = "podman"
	}
	return e.name, nil
}

// pull fetches an image. The answer is a stream of progress, at the end of which there may be an error.
func (e *engine) pull(ctx context.Context, ref string) error {
	path := "/images/create?fromImage=" + ref
	if !strings.ContainsAny(ref[strings.LastIndexByte(ref, '/')+1:], ":@") {
		path += "&tag=latest" // without, it would be all of them
	}
	body, err := e.exchange(ctx, "POST", path, nil)
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	var last struct {
		Error string `json:"error"`
	}
	if err == nil && codec.Unmarshal([]byte(lines[len(lines)-1]), &last) == nil && last.Error != "" {
		err = errors.New(last.Error)
	}
	if err != nil {
		return fmt.Errorf("image %s is not on this host, and cannot be pulled: %w", ref, err)
	}
	return nil
}
