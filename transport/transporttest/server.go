// Package transporttest has SSH servers for tests: a fast one in this process
// that can misbehave on purpose, OpenSSH's sshd, and a wire with delay. It may
// not know package transport, so that it can test it.
package transporttest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// The phases in which a Server can hang.
const (
	HangBanner = "banner" // accepts TCP, says nothing
	HangKex    = "kex"    // says its version, then nothing
	HangAuth   = "auth"   // never answers a login
	HangOpen   = "open"   // never answers a channel
	HangExec   = "exec"   // opens sessions, runs nothing
	HangAlive  = "alive"  // never answers global requests
)

// Config of a Server; the zero value lets in every key and runs commands by sh.
type Config struct {
	HostKey    ssh.Signer      // made if nil
	Authorized []ssh.PublicKey // nil: all
	// Exec runs a command; its result is the exit status. Nil means Shell.
	Exec          func(ctx context.Context, cmd string, stdin io.Reader, stdout, stderr io.Writer) int
	Hang          string
	ForbidForward bool                              // direct-tcpip is administratively prohibited
	Drop          func(n int64) (drop bool)         // hang up on the nth connection (from 1) before the version
	Dial          func(addr string) (string, error) // where a forward to addr really goes
}

// Server is an SSH server in this process.
type Server struct {
	Addr    string // host:port on 127.0.0.1
	HostKey ssh.PublicKey
	Exits   atomic.Int64 // sessions that have ended

	config   Config
	ssh      *ssh.ServerConfig
	accepted atomic.Int64
	ctx      context.Context
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// New starts a server that ends with the test.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	if c.HostKey == nil {
		c.HostKey, _ = NewKey(t)
	}
	if c.Exec == nil {
		c.Exec = Shell
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Addr: l.Addr().String(), HostKey: c.HostKey.PublicKey(), config: c, ctx: ctx, open: map[net.Conn]bool{}}
	s.ssh = &ssh.ServerConfig{PublicKeyCallback: s.authorize}
	s.ssh.AddHostKey(c.HostKey)
	var wg sync.WaitGroup
	wg.Go(func() { s.accept(l, &wg) })
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		s.CloseConnections()
		wg.Wait()
	})
	return s
}

// Connections is how many TCP connections were accepted so far.
func (s *Server) Connections() int { return int(s.accepted.Load()) }

// CloseConnections cuts every connection; the server goes on to listen.
func (s *Server) CloseConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.Close()
	}
}

func (s *Server) authorize(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if s.config.Hang == HangAuth {
		<-s.ctx.Done()
	}
	same := func(k ssh.PublicKey) bool { return string(k.Marshal()) == string(key.Marshal()) }
	if s.config.Authorized == nil || slices.ContainsFunc(s.config.Authorized, same) {
		return nil, nil
	}
	return nil, errors.New("not authorized")
}

func (s *Server) accept(l net.Listener, wg *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		n := s.accepted.Add(1)
		if s.config.Drop != nil && s.config.Drop(n) {
			_ = c.Close()
			continue
		}
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
		wg.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.open, c)
				s.mu.Unlock()
				_ = c.Close()
			}()
			s.serve(c)
		})
	}
}

func (s *Server) serve(c net.Conn) {
	switch s.config.Hang {
	case HangBanner:
		_, _ = io.Copy(io.Discard, c)
		return
	case HangKex:
		_, _ = io.WriteString(c, "SSH-2.0-hung\r\n")
		_, _ = io.Copy(io.Discard, c)
		return
	}
	conn, chans, reqs, err := ssh.NewServerConn(c, s.ssh)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	go s.answer(reqs)
	var wg sync.WaitGroup
	for ch := range chans {
		wg.Go(func() { s.channel(ctx, ch) })
	}
	cancel()
	_ = conn.Close()
	wg.Wait()
}

func (s *Server) answer(reqs <-chan *ssh.Request) {
	for r := range reqs {
		if r.WantReply && s.config.Hang != HangAlive {
			_ = r.Reply(false, nil)
		}
	}
}

func (s *Server) channel(ctx context.Context, ch ssh.NewChannel) {
	if s.config.Hang == HangOpen {
		<-ctx.Done()
		return
	}
	switch ch.ChannelType() {
	case "session":
		s.session(ctx, ch)
	case "direct-tcpip":
		s.forward(ctx, ch)
	default:
		_ = ch.Reject(ssh.UnknownChannelType, "")
	}
}

func (s *Server) session(ctx context.Context, n ssh.NewChannel) {
	ch, reqs, err := n.Accept()
	if err != nil {
		return
	}
	defer s.Exits.Add(1)
	defer ch.Close() //nolint:errcheck // the client may have closed it
	for r := range reqs {
		if s.config.Hang == HangExec {
			continue
		}
		_ = r.Reply(true, nil)
		var m struct{ Value string }
		_ = ssh.Unmarshal(r.Payload, &m)
		switch r.Type {
		case "exec":
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() { // the channel's end is the end of its requests
				ssh.DiscardRequests(reqs)
				cancel()
			}()
			status := s.config.Exec(ctx, m.Value, ch, ch, ch.Stderr())
			_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ S uint32 }{uint32(status)}))
			return
		case "subsystem":
			go ssh.DiscardRequests(reqs)
			if server, err := sftp.NewServer(ch); err == nil {
				_ = server.Serve()
			}
			return
		}
	}
}

func (s *Server) forward(ctx context.Context, n ssh.NewChannel) {
	var m struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if s.config.ForbidForward {
		_ = n.Reject(ssh.Prohibited, "open failed")
		return
	}
	if err := ssh.Unmarshal(n.ExtraData(), &m); err != nil {
		_ = n.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	addr := net.JoinHostPort(m.Host, strconv.Itoa(int(m.Port)))
	if s.config.Dial != nil {
		var err error
		if addr, err = s.config.Dial(addr); err != nil {
			_ = n.Reject(ssh.ConnectionFailed, err.Error())
			return
		}
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		_ = n.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	ch, reqs, err := n.Accept()
	if err != nil {
		_ = c.Close()
		return
	}
	go ssh.DiscardRequests(reqs)
	join(ctx, ch, c)
}

// join copies both ways until both ends are done, or ctx.
func join(ctx context.Context, a ssh.Channel, b net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = b.Close() })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(b, a)
		_ = b.Close()
	})
	wg.Go(func() {
		_, _ = io.Copy(a, b)
		_ = a.Close()
	})
	wg.Wait()
}

// Shell runs cmd by /bin/sh.
func Shell(ctx context.Context, cmd string, stdin io.Reader, stdout, stderr io.Writer) int {
	return Run(exec.CommandContext(ctx, "/bin/sh", "-c", cmd), stdin, stdout, stderr)
}

// Run runs c to its end and returns its exit status, 255 if it has none.
func Run(c *exec.Cmd, stdin io.Reader, stdout, stderr io.Writer) int {
	c.Stdout, c.Stderr = stdout, stderr
	c.WaitDelay = time.Second // its children may hold the streams
	in, err := c.StdinPipe()
	if err != nil {
		return 255
	}
	if err := c.Start(); err != nil {
		return 255
	}
	go func() { // not Cmd.Stdin: Wait would wait for the client to close it
		_, _ = io.Copy(in, stdin)
		_ = in.Close()
	}()
	err = c.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode()
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return 255
	}
	return 0
}

// NewKey makes an ed25519 key and writes its private half, and .pub beside it,
// to a file of the test.
func NewKey(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return WriteKey(t, private, "")
}

// WriteKey writes a private key to a file of the test, encrypted if the
// passphrase is not empty.
func WriteKey(t testing.TB, private any, passphrase string) (ssh.Signer, string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id")
	write(t, path, pem.EncodeToMemory(block))
	write(t, path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()))
	return signer, path
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// KnownHosts writes a known_hosts file of the given lines, each made of a name
// and a key, and returns its path.
func KnownHosts(t testing.TB, pairs ...any) string {
	t.Helper()
	var data []byte
	for i := 0; i+1 < len(pairs); i += 2 {
		data = append(data, pairs[i].(string)+" "...)
		data = append(data, ssh.MarshalAuthorizedKey(pairs[i+1].(ssh.PublicKey))...)
	}
	path := filepath.Join(t.TempDir(), "known_hosts")
	write(t, path, data)
	return path
}
