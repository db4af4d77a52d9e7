package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// The console of a guest is an sshd that the network of the guest has nothing to do with; this computer reaches it from the network
// namespace around the guest. What runs over it enters the guest's own network namespace first.

// consoleTimeout is how long a guest may take to answer.
const consoleTimeout = 20 * time.Second

// dialConsole logs in to the console of a guest whose surroundings are ns.
func dialConsole(ctx context.Context, ns *os.File, key ssh.Signer, hostKey ssh.PublicKey) (*ssh.Client, error) {
	there := netip.MustParsePrefix(consoleGuest).Addr()
	r := relay{target: netip.AddrPortFrom(there, 22), device: consoleTap, outside: ns}
	ctx, cancel := context.WithTimeout(ctx, consoleTimeout)
	defer cancel()
	conn, err := r.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach its console: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, "console", &ssh.ClientConfig{User: "root",
		Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(hostKey)})
	if !stop() || err != nil {
		conn.Close()
		return nil, fmt.Errorf("log in to its console: %w", cmp.Or(context.Cause(ctx), err))
	}
	return ssh.NewClient(c, channels, requests), nil
}

// consoleLine is the command line that runs a command in the guest's own network, with a plain environment.
func consoleLine(o ExecOptions) string {
	words := append([]string{"exec", "nsenter", "--net=/proc/1/ns/net", "--", "env"}, o.Env...)
	words = append(words, o.Argv...)
	for i, w := range words {
		words[i] = shellQuote(w)
	}
	return "cd " + shellQuote(cmp.Or(o.Dir, "/root")) + " && " + strings.Join(words, " ")
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// execGuest is Exec for a guest.
func execGuest(ctx context.Context, h HostState, o ExecOptions) (int, error) {
	fail := func(err error) (int, error) { return -1, fmt.Errorf("enter host %q: %w", h.Name, err) }
	if !(process{h.InitPID, h.InitStart}).alive() {
		return fail(errors.New("it is not running: bring the sandbox up again"))
	}
	ns, err := os.Open(h.NetNS)
	if err != nil {
		return fail(err)
	}
	defer ns.Close()
	private, err := os.ReadFile(h.IdentityFile)
	if err != nil {
		return fail(err)
	}
	key, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return fail(err)
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.HostKey))
	if err != nil {
		return fail(err)
	}
	client, err := dialConsole(ctx, ns, key, hostKey)
	if err != nil {
		return fail(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return fail(err)
	}
	return runConsole(ctx, client, session, o)
}

// consoleMark names the variable by which the processes of one command are found again.
const consoleMark = "LABCTL_CONSOLE"

// signalMarked sends a signal to all processes of a command. sshd itself passes none on to those of root (session_signal_req,
// session.c: "session signalling requires privilege separation").
func signalMarked(client *ssh.Client, mark, name string) {
	session, err := client.NewSession()
	if err != nil {
		return // the connection is gone, and the command with it
	}
	defer session.Close()
	_ = session.Run("for p in $(grep -lzx " + consoleMark + "=" + mark + " /proc/[0-9]*/environ 2>/dev/null); do p=${p#/proc/}; kill -s " + name + " ${p%/environ}; done")
}

// runConsole runs a command in a session of client, on a terminal if the caller has one.
func runConsole(ctx context.Context, client *ssh.Client, session *ssh.Session, o ExecOptions) (int, error) {
	mark := rand.Text()
	o.Env = append(slices.Clone(o.Env), consoleMark+"="+mark)
	send := func(name string) { signalMarked(client, mark, name) }
	var mu sync.Mutex // both may be the same writer
	session.Stdout, session.Stderr = &shared{&mu, o.Stdout}, &shared{&mu, o.Stderr}
	var tty *farTerminal
	outer := bothTerminal(o)
	if outer != nil {
		var err error
		if tty, err = openFarTerminal(outer, session); err != nil {
			return -1, err
		}
		defer tty.close()
	}
	in, err := session.StdinPipe()
	if err != nil {
		return -1, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := session.Start(consoleLine(o)); err != nil {
		return -1, err
	}
	defer forwardFar(signals, send)()
	defer context.AfterFunc(ctx, func() {
		send("TERM")
		time.AfterFunc(2*time.Second, func() { client.Close() })
	})()
	switch {
	case tty != nil:
		tty.start(in)
	case o.Stdin != nil:
		go func() { // ends with its reader, or with the process
			_, _ = io.Copy(in, o.Stdin)
			in.Close()
		}()
	default:
		in.Close()
	}
	err = session.Wait()
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		if s := exit.Signal(); s != "" {
			return 128 + signalNumber(s), nil
		}
		return exit.ExitStatus(), nil
	}
	if err != nil {
		return -1, fmt.Errorf("the session ended: %w", err)
	}
	return 0, nil
}

// shared is a writer that others write to as well.
type shared struct {
	mu *sync.Mutex
	to io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	if s.to == nil {
		return len(p), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(p)
}

func signalNumber(name string) int { return int(unix.SignalNum("SIG" + name)) }

// forwardFar passes signals on until stop is called.
func forwardFar(signals <-chan os.Signal, send func(name string)) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case s := <-signals:
				if n, ok := s.(syscall.Signal); ok {
					send(strings.TrimPrefix(unix.SignalName(n), "SIG"))
				}
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}

// farTerminal joins the caller's terminal to one in a guest.
type farTerminal struct {
	outer   *os.File
	restore *term.State
	resized chan os.Signal
	quit    [2]*os.File
	copies  sync.WaitGroup
	session *ssh.Session
}

func openFarTerminal(outer *os.File, session *ssh.Session) (*farTerminal, error) {
	width, height, err := term.GetSize(int(outer.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	if err := session.RequestPty(cmp.Or(os.Getenv("TERM"), "dumb"), height, width, ssh.TerminalModes{}); err != nil {
		return nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	t := &farTerminal{outer: outer, resized: make(chan os.Signal, 1), session: session}
	if t.quit[0], t.quit[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	if t.restore, err = term.MakeRaw(int(outer.Fd())); err != nil {
		return nil, fmt.Errorf("make terminal raw: %w", err)
	}
	return t, nil
}

func (t *farTerminal) start(in io.Writer) {
	signal.Notify(t.resized, syscall.SIGWINCH)
	t.copies.Go(func() {
		for range t.resized {
			if width, height, err := term.GetSize(int(t.outer.Fd())); err == nil {
				_ = t.session.WindowChange(height, width)
			}
		}
	})
	t.copies.Go(func() { copyTyped(in, t.outer, t.quit[0]) })
}

func (t *farTerminal) close() {
	signal.Stop(t.resized)
	close(t.resized)
	t.quit[1].Close()
	t.copies.Wait()
	t.quit[0].Close()
	_ = term.Restore(int(t.outer.Fd()), t.restore)
}

// order has a guest that runs do what the supervisor wants of it, and returns what it took.
func (s *supervisor) order(ctx context.Context, r *running, o guestOrder) ([]string, error) {
	private, err := os.ReadFile(s.keys.path())
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return nil, err
	}
	host, err := ssh.ParsePrivateKey([]byte(r.spec.HostKey))
	if err != nil {
		return nil, err
	}
	client, err := dialConsole(ctx, r.ns, key, host.PublicKey())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })()
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = bytes.NewReader(text), &out, &errs
	if err := session.Run(consoleLine(ExecOptions{Argv: []string{guestPapers + "/init", InitVerb, "guest-mend"}})); err != nil {
		return nil, fmt.Errorf("mend it: %w: %s", err, strings.TrimPrefix(strings.TrimSpace(errs.String()), "labctl: "))
	}
	return strings.FieldsFunc(out.String(), func(c rune) bool { return c == '\n' }), nil
}
