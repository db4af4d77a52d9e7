package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"labctl/modules/host"
	"labctl/transport/transporttest"
)

// dialNet connects by package net: what is tested is the protocol.
func dialNet(ctx context.Context, name string, port uint16) (host.Stream, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(name, fmt.Sprint(port)))
	if err != nil {
		return nil, errors.New("connection refused")
	}
	return c.(*net.TCPConn), nil
}

// serve runs a relay, and returns the client's side of it behind the magic.
func serve(t *testing.T) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Serve(context.Background(), theirs, theirs, "magic", dialNet) }()
	t.Cleanup(func() {
		_ = ours.Close()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("it did not end with its input")
		}
	})
	magic := make([]byte, 5)
	if _, err := io.ReadFull(ours, magic); err != nil || string(magic) != "magic" {
		t.Fatalf("%q, %v", magic, err)
	}
	return ours
}

// client is golang.org/x/crypto/ssh in the place of a mux client.
func client(t *testing.T) ssh.Conn {
	t.Helper()
	conn, chans, reqs, err := ssh.NewControlClientConn(serve(t))
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	go func() {
		for c := range chans {
			_ = c.Reject(ssh.Prohibited, "")
		}
	}()
	return conn
}

type direct struct {
	Host   string
	Port   uint32
	Origin string
	From   uint32
}

func echo(t *testing.T) uint32 {
	t.Helper()
	addr := transporttest.Serve(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	return uint32(netip.MustParseAddrPort(addr).Port())
}

func open(t *testing.T, conn ssh.Conn, port uint32) ssh.Channel {
	t.Helper()
	ch, reqs, err := conn.OpenChannel("direct-tcpip", ssh.Marshal(direct{"127.0.0.1", port, "127.0.0.1", 0}))
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	return ch
}

func TestManyChannels(t *testing.T) {
	conn, port := client(t), echo(t)
	var wg sync.WaitGroup
	for i := range 50 {
		ch := open(t, conn, port)
		wg.Go(func() {
			big := bytes.Repeat([]byte{byte(i)}, 100_000*(1+i%5))
			go func() {
				_, _ = ch.Write(big)
				_ = ch.CloseWrite()
			}()
			got, err := io.ReadAll(ch)
			if err != nil || !bytes.Equal(got, big) {
				t.Errorf("channel %d: %d of %d bytes, %v", i, len(got), len(big), err)
			}
			_ = ch.Close()
		})
	}
	wg.Wait()
}

func TestRefusals(t *testing.T) {
	conn := client(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint32(l.Addr().(*net.TCPAddr).Port)
	_ = l.Close()
	var refused *ssh.OpenChannelError
	_, _, err = conn.OpenChannel("direct-tcpip", ssh.Marshal(direct{"127.0.0.1", port, "", 0}))
	if !errors.As(err, &refused) || refused.Reason != ssh.ConnectionFailed || refused.Message != "connection refused" {
		t.Errorf("nobody listens: %v", err)
	}
	_, _, err = conn.OpenChannel("session", nil)
	if !errors.As(err, &refused) || refused.Reason != ssh.UnknownChannelType {
		t.Errorf("a session: %v", err)
	}
	if ok, _, err := conn.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("global request: %t, %v", ok, err)
	}
	ch := open(t, conn, echo(t))
	if ok, err := ch.SendRequest("exec", true, nil); ok || err != nil {
		t.Errorf("channel request: %t, %v", ok, err)
	}
}

// A peer that takes nothing does not keep the relay from taking in what it says.
func TestFlowControl(t *testing.T) {
	conn, port := client(t), echo(t)
	stuck := open(t, conn, port)
	go func() { _, _ = stuck.Write(make([]byte, 32<<20)) }()
	time.Sleep(50 * time.Millisecond)
	free := open(t, conn, port)
	if _, err := free.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(free, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	_ = stuck.Close()
}

// hello is what a client says first.
func hello() []byte {
	return append(frame(u32(muxHello), u32(muxVersion)), frame(u32(muxCProxy), u32(7))...)
}

func frame(parts ...[]byte) []byte {
	p := bytes.Join(parts, nil)
	return append(u32(uint32(len(p))), p...)
}

// opening is a message that opens channel 5 to a port, and the one that sends data on it.
func opening(port uint32) []byte {
	return frame([]byte{0, msgOpen}, str("direct-tcpip"), u32(5), u32(1<<20), u32(1<<15), str("127.0.0.1"), u32(port), str(""), u32(0))
}

func TestMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		in  []byte
		say string // "": it is passed over
	}{
		"nothing":              {nil, ""},
		"no hello":             {frame(u32(muxCProxy), u32(7)), "in the place of"},
		"another version":      {frame(u32(muxHello), u32(3)), "in the place of"},
		"half a hello":         {[]byte{0, 0, 0, 8, 0}, "unexpected EOF"},
		"short hello":          {frame(u32(muxHello)), "in the place of"},
		"huge packet":          {append(hello(), 0xff, 0xff, 0xff, 0xff), "at most"},
		"padding":              {append(hello(), frame([]byte{1, msgEOF, 0})...), "padding"},
		"empty":                {append(hello(), frame(nil)...), "without a message"},
		"data for nobody":      {append(hello(), frame([]byte{0, msgData}, u32(1), str("x"))...), "for no channel"},
		"close without number": {append(hello(), frame([]byte{0, msgClose})...), "for no channel"},
		"open, cut off":        {append(hello(), frame([]byte{0, msgOpen}, str("direct-tcpip"), u32(1))...), "malformed"},
		"string too long":      {append(hello(), frame([]byte{0, msgOpen}, u32(0xffffffff))...), "malformed"},
		"port too high":        {append(hello(), opening(65536)...), "malformed"},
		"unknown message":      {append(hello(), frame([]byte{0, 200})...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := Serve(t.Context(), bytes.NewReader(c.in), io.Discard, "", dialNet)
			if c.say == "" && err != nil || c.say != "" && (err == nil || !strings.Contains(err.Error(), c.say)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// lazy is a connection that never takes nor gives anything.
type lazy struct{ closed chan struct{} }

func (l *lazy) Read([]byte) (int, error)  { <-l.closed; return 0, io.ErrClosedPipe }
func (l *lazy) Write([]byte) (int, error) { <-l.closed; return 0, io.ErrClosedPipe }
func (l *lazy) CloseWrite() error         { return nil }
func (l *lazy) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

// More than the window is no reason to keep it all.
func TestWindowIsKept(t *testing.T) {
	in, w := io.Pipe()
	out, answers := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(context.Background(), in, answers, "", func(context.Context, string, uint16) (host.Stream, error) {
			return &lazy{closed: make(chan struct{})}, nil
		})
	}()
	go func() {
		_, _ = w.Write(append(hello(), opening(22)...))
		confirmed := make([]byte, 12+12+22) // hello, proxy, confirmation
		_, _ = io.ReadFull(out, confirmed)
		go io.Copy(io.Discard, out) //nolint:errcheck // until it ends
		for {
			if _, err := w.Write(frame([]byte{0, msgData}, u32(0), str(strings.Repeat("x", 1<<16)))); err != nil {
				return
			}
		}
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "more data than channel 0 takes") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it takes in whatever comes")
	}
	_ = in.Close()
}

func FuzzServe(f *testing.F) {
	f.Add(hello())
	f.Add(append(hello(), opening(22)...))
	f.Add(bytes.Join([][]byte{hello(), opening(22), frame([]byte{0, msgData}, u32(0), str("x")), frame([]byte{0, msgWindowAdjust}, u32(0), u32(9)),
		frame([]byte{0, msgEOF}, u32(0)), frame([]byte{0, msgRequest}, u32(0), str("x"), []byte{1}), frame([]byte{0, msgClose}, u32(0))}, nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		dial := func(_ context.Context, name string, _ uint16) (host.Stream, error) {
			if name == "no" {
				return nil, errors.New("no")
			}
			return &lazy{closed: make(chan struct{})}, nil
		}
		_ = Serve(t.Context(), bytes.NewReader(in), io.Discard, "", dial)
	})
}
