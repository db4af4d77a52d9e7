package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// AgentMagic is how the agent's first message begins. Everything before it on
// standard output is noise of login scripts.
const AgentMagic = "\x00labctl\x01"

const (
	noiseLimit     = 64 << 10
	missingPrefix  = "labctl-agent-missing "
	firstFlight    = 8 << 20 // what may be written before the agent answers
	defaultTimeout = time.Minute
	endGrace       = 5 * time.Second
	pushWait       = "30" // seconds the agent's command waits for a push
)

// Agents are the agent's binaries, for linux on each architecture.
type Agents interface {
	// Hash returns the SHA-256 of the uncompressed binary, in lower-case hex.
	Hash(goarch string) (sha256hex string, ok bool)
	// Open returns the binary in a form, named for the program that unpacks it
	// ("xz", "gzip", or "" for the binary itself, which there always is), its
	// length in that form, and its size once unpacked, in bytes; the caller
	// closes it. The error is errors.ErrUnsupported for a form it does not come
	// in. It is called for many machines at once.
	Open(goarch, form string) (r io.ReadCloser, length, size int64, err error)
}

// AgentOptions say how to run an agent.
type AgentOptions struct {
	// Become is the user to run as, by sudo without a password; empty means
	// the login user.
	Become string
	Args   []string
	// HelloTimeout bounds the wait for the agent's first byte, not counting
	// the time of a push; 0 means one minute.
	HelloTimeout time.Duration
	// Logf, if set, gets one line when an agent is pushed.
	Logf func(format string, args ...any)
}

// AgentError says why no agent runs.
type AgentError struct {
	Op     string // "start agent", "push agent"
	Err    error
	Stderr string // what the machine said on standard error, trimmed
	Hint   string
}

func (e *AgentError) Error() string {
	s := fmt.Sprintf("%s: %v", e.Op, e.Err)
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

func (e *AgentError) Unwrap() error { return e.Err }

// unameMachines maps GOARCH to what uname -m says, as findScript folds it.
var unameMachines = map[string][]string{
	"386": {"i386"}, "amd64": {"x86_64"}, "arm": {"arm"}, "arm64": {"aarch64"},
	"loong64": {"loongarch64"}, "ppc64le": {"ppc64le"}, "riscv64": {"riscv64"}, "s390x": {"s390x"},
}

// goarchOf is the inverse, for unfolded names; "" if there is none.
func goarchOf(machine string) string {
	switch {
	case len(machine) == 4 && machine[0] == 'i' && strings.HasSuffix(machine, "86"):
		machine = "i386"
	case strings.HasPrefix(machine, "armv"):
		machine = "arm"
	}
	for arch, names := range unameMachines {
		if slices.Contains(names, machine) {
			return arch
		}
	}
	return ""
}

// StartAgent runs the agent on the far side of conn, pushing it first if it is
// not there. It returns once the first command is on its way; what is written
// to Stdin meanwhile travels right behind it, and again behind a push, so the
// caller need not wait for anything. Up to 8 MiB are taken before the agent's
// first byte; then Write blocks until it comes.
//
// Stdout begins with AgentMagic. If no agent can be run, reading Stdout, Wait
// and Ready report an *AgentError.
func StartAgent(ctx context.Context, conn Conn, bins Agents, opts AgentOptions) (*Process, error) {
	s := &agentStart{conn: conn, bins: bins, opts: opts, stderr: &tail{}, replay: newReplay(firstFlight),
		settled: make(chan struct{})}
	if s.opts.Logf == nil {
		s.opts.Logf = func(string, ...any) {}
	}
	var pairs []string
	for arch, names := range unameMachines {
		if hash, ok := bins.Hash(arch); ok {
			for _, name := range names {
				pairs = append(pairs, name+":"+hash)
			}
		}
	}
	slices.Sort(pairs)
	var err error
	for _, c := range []struct {
		to   *string
		list string
	}{{&s.command, strings.Join(pairs, " ")}, {&s.waiting, strings.Join(pairs, " ") + " wait:" + pushWait}} {
		*c.to, err = shellCommand(opts.Become, "labctl-agent", findScript, append([]string{c.list}, opts.Args...)...)
		if err != nil {
			return nil, &AgentError{Op: "start agent", Err: err}
		}
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	first, err := s.exec(s.ctx, s.command)
	if err != nil {
		s.cancel(err)
		return nil, &AgentError{Op: "start agent", Err: err}
	}
	go s.run(first)
	return s.process(), nil
}

// agentStart is an agent on its way.
type agentStart struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	conn    Conn
	bins    Agents
	opts    AgentOptions
	command string // becomes the agent, if it is there
	waiting string // waits for it first
	replay  *replay
	stderr  *tail

	there <-chan struct{} // closed when no push is under way

	settled chan struct{} // closed once either of the next is set
	agent   *Process
	stdout  io.Reader // from AgentMagic on
	err     error
}

// process is what the caller sees.
func (s *agentStart) process() *Process {
	return &Process{
		Stdin: s.replay, Stdout: (*agentStdout)(s), stderr: s.stderr,
		kill: func(cause error) { s.cancel(cause) },
		wait: func() (int, error) {
			<-s.settled
			if s.err != nil {
				return -1, s.err
			}
			return s.agent.Wait()
		},
		ready: func(ctx context.Context) error {
			select {
			case <-s.settled:
				return s.err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
	}
}

// agentStdout waits for the agent at the first read.
type agentStdout agentStart

func (o *agentStdout) Read(p []byte) (int, error) {
	<-o.settled
	if o.err != nil {
		return 0, o.err
	}
	return o.stdout.Read(p)
}

// run brings the agent up, then waits for its end.
func (s *agentStart) run(p *Process) {
	now := make(chan struct{})
	close(now)
	s.there = now
	out, missing, err := s.hello(p, now)
	if err == nil && missing != nil {
		// Its end is not waited for: that would be a round trip.
		go io.Copy(io.Discard, p.Stdout) //nolint:errcheck // ends with the command
		p, out, err = s.pushed(missing)
	}
	if err != nil {
		s.err = err
		s.replay.fail(err)
		s.cancel(err)
		close(s.settled)
		return
	}
	s.agent, s.stdout = p, out
	s.replay.settle()
	close(s.settled)
	_, _ = p.Wait()
	<-s.there     // the push tidies up
	s.cancel(nil) // lets go of the caller's context
}

// pushed pushes the agent and starts it. The command that becomes the agent is
// sent while the push is under way and waits there, which saves two round
// trips; if it cannot, it is sent again after the push.
func (s *agentStart) pushed(m *missingAgent) (*Process, io.Reader, error) {
	feed, err := s.push(m)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(s.ctx) // ends with s.ctx at the latest
	there := make(chan struct{})
	s.there = there
	var pushErr error
	go func() {
		defer close(there)
		if pushErr = feed(); pushErr != nil {
			cancel(pushErr)
		}
	}()
	if p, err := s.exec(ctx, s.waiting); err == nil {
		out, missing, err := s.hello(p, there)
		if err == nil && missing == nil {
			return p, out, nil
		}
	}
	if <-there; pushErr != nil {
		return nil, nil, pushErr
	}
	p, err := s.exec(ctx, s.command)
	if err != nil {
		return nil, nil, &AgentError{Op: "start agent", Err: err}
	}
	out, missing, err := s.hello(p, there)
	if err == nil && missing != nil {
		err = &AgentError{Op: "start agent", Err: fmt.Errorf("it was pushed to %s and is not there", m.dir)}
	}
	return p, out, err
}

// exec starts the command that becomes the agent, and lets what is written
// flow to it.
func (s *agentStart) exec(ctx context.Context, command string) (*Process, error) {
	p, err := s.conn.Start(ctx, command)
	if err != nil {
		return nil, err
	}
	p.StderrTo(s.stderr)
	s.replay.attach(p.Stdin)
	return p, nil
}

// missingAgent is what findScript says when it finds no agent.
type missingAgent struct {
	machine, dir, tried string
	unpack              []string // programs that could unpack it there, best first
}

// hello reads up to the agent's first byte, or the news that there is none. The
// time it may take is counted after begin.
func (s *agentStart) hello(p *Process, begin <-chan struct{}) (io.Reader, *missingAgent, error) {
	limit := s.opts.HelloTimeout
	if limit == 0 {
		limit = defaultTimeout
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-begin:
		case <-done:
			return
		}
		select {
		case <-time.After(limit):
			p.kill(fmt.Errorf("no answer within %s", limit))
		case <-done:
		}
	}()
	out, missing, err := scanHello(p.Stdout)
	if err != nil {
		return nil, nil, s.failure("start agent", p, err)
	}
	return out, missing, nil
}

// failure says why a command ended without doing its work.
func (s *agentStart) failure(op string, p *Process, err error) error {
	// After the end of its output a command should end too, and its status
	// explains more than EOF.
	grace := time.Duration(0)
	if errors.Is(err, io.EOF) {
		grace = endGrace
	}
	defer time.AfterFunc(grace, func() { p.kill(err) }).Stop()
	status, waitErr := p.Wait()
	e := &AgentError{Op: op, Err: err, Stderr: strings.TrimSpace(p.Stderr())}
	switch {
	case s.ctx.Err() != nil:
		e.Err = context.Cause(s.ctx)
	case waitErr == nil:
		e.Err = fmt.Errorf("the command ended with status %d", status)
		e.Hint = s.advice(e.Stderr, status)
	case !errors.Is(err, io.EOF):
		e.Err = err
	default:
		e.Err = waitErr
	}
	return e
}

// advice explains what sudo and sh say when they refuse.
func (s *agentStart) advice(stderr string, status int) string {
	switch {
	case s.opts.Become != "" && strings.Contains(stderr, "sudo") && (strings.Contains(stderr, "not found") || strings.Contains(stderr, "No such file")):
		return fmt.Sprintf("sudo is not installed there: install it, or log in as %s", s.opts.Become)
	case strings.Contains(stderr, "unknown user"):
		return ""
	case s.opts.Become != "" && strings.Contains(stderr, "sudo:"):
		return fmt.Sprintf("sudo must let the login user become %s without a password: add to /etc/sudoers.d/labctl a line such as: USER ALL=(%s) NOPASSWD: ALL", s.opts.Become, s.opts.Become)
	case status == 126:
		return "the agent is there but may not run: is its directory mounted noexec?"
	case status == 1 && stderr == "":
		return "does the login shell of the user allow commands?"
	}
	return ""
}

// push prepares to bring the agent to the directory that findScript named; feed
// does it.
func (s *agentStart) push(m *missingAgent) (feed func() error, err error) {
	fail := func(err error) (func() error, error) { return nil, &AgentError{Op: "push agent", Err: err} }
	arch := goarchOf(m.machine)
	hash, ok := s.bins.Hash(arch)
	if arch == "" || !ok {
		return fail(fmt.Errorf("there is no agent for machine type %s", m.machine))
	}
	if m.dir == "-" {
		return fail(fmt.Errorf("no directory where a program may run; tried %s", m.tried))
	}
	content, err := s.open(arch, m.unpack)
	if err != nil {
		return fail(err)
	}
	s.opts.Logf("push agent for %s: %d bytes to %s", arch, content.length, m.dir)
	command, err := shellCommand(s.opts.Become, "labctl-push", pushScript, m.dir, hash, fmt.Sprint(content.size), content.program)
	if err != nil {
		_ = content.Close()
		return fail(err)
	}
	return func() error {
		defer content.Close()
		p, err := s.conn.Start(s.ctx, command)
		if err != nil {
			return &AgentError{Op: "push agent", Err: err}
		}
		if said, err := p.feed(content); err != nil {
			return &AgentError{Op: "push agent", Err: err, Stderr: said}
		}
		return nil
	}, nil
}

// pushContent is an agent as it travels.
type pushContent struct {
	io.ReadCloser
	program      string // unpacks it; empty if it is not packed
	length, size int64  // packed and unpacked, in bytes
}

// open returns the agent for the first of the programs that there is a form
// for, or plain.
func (s *agentStart) open(arch string, programs []string) (*pushContent, error) {
	for _, program := range append(slices.Clone(programs), "") {
		form := program
		if form == "unxz" { // all that some busyboxes have
			form = "xz"
		}
		r, length, size, err := s.bins.Open(arch, form)
		switch {
		case err == nil:
			return &pushContent{ReadCloser: r, program: program, length: length, size: size}, nil
		case !errors.Is(err, errors.ErrUnsupported):
			return nil, err
		}
	}
	return nil, fmt.Errorf("there is no plain agent for %s", arch)
}
