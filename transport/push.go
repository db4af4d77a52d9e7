package transport

import (
	"context"
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
	// Size returns the bytes of the binary that Hash is of.
	Size(goarch string) int64
	// Open returns the binary in a form, named for the program that unpacks it
	// ("xz", "gzip", or "" for the binary itself, which there always is), its
	// length in that form, and its size once unpacked, in bytes; the caller
	// closes it. The error is errors.ErrUnsupported for a form it does not come
	// in. It is called for many machines at once.
	Open(goarch, form string) (r io.ReadCloser, length, size int64, err error)
}

// AgentOptions say how to run an agent.
type AgentOptions struct {
	// Become says how to run as another user; nil means as the login user.
	Become *Become
	Args   []string
	// HelloTimeout bounds the wait for the agent's first byte, not counting
	// the time of a push; 0 means one minute.
	HelloTimeout time.Duration
	// Progress, if set, is told every second of a push how many bytes of how many are there, unpacked.
	Progress func(done, total int64)
	// Logf, if set, gets one line when an agent is pushed.
	Logf func(format string, args ...any)
}

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
	if s.opts.Progress == nil {
		s.opts.Progress = func(int64, int64) {}
	}
	var pairs []string
	for arch, names := range unameMachines {
		if hash, ok := bins.Hash(arch); ok {
			for _, name := range names {
				pairs = append(pairs, fmt.Sprintf("%s:%s:%d", name, hash, bins.Size(arch)>>16+1))
			}
		}
	}
	slices.Sort(pairs)
	s.known = strings.Join(pairs, " ")
	_, _ = io.WriteString(s.replay, beginning) // it is kept
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	first, err := s.exec(s.ctx, "", nil)
	if err != nil {
		s.cancel(err)
		return nil, &AgentError{Op: "start agent", Err: err}
	}
	go s.run(first)
	return s.process(), nil
}

// agentStart is an agent on its way.
type agentStart struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	conn   Conn
	bins   Agents
	opts   AgentOptions
	known  string // $1 of findScript
	replay *replay
	stderr *tail
	sent   delivery

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
		kill:   func(cause error) { s.cancel(cause) },
		giveUp: s.giveUp,
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
func (s *agentStart) run(c *started) {
	now := make(chan struct{})
	close(now)
	s.there = now
	out, missing, err := s.hello(c, now)
	talk := c.talk
	if err != nil && !talk.gave() && s.opts.Become.wantsTTY(err) {
		if c, err = s.execInPlace(s.ctx); err == nil {
			talk = c.talk
			out, missing, err = s.hello(c, now)
		}
	}
	for err != nil && talk.another(err) {
		if c, err = s.execInPlace(s.ctx); err == nil {
			talk = c.talk
			out, missing, err = s.hello(c, now)
		}
	}
	if err == nil && missing != nil {
		// Its end is not waited for: that would be a round trip.
		go io.Copy(io.Discard, c.p.Stdout) //nolint:errcheck // ends with the command
		c, out, err = s.pushed(missing, c)
	}
	if err != nil {
		if !s.opts.Become.none() {
			s.opts.Become.judge(err)
		}
		s.err = err
		s.replay.fail(err)
		s.cancel(err)
		close(s.settled)
		return
	}
	s.agent, s.stdout = c.p, out
	s.replay.settle()
	close(s.settled)
	_, _ = c.p.Wait()
	<-s.there     // the push tidies up
	s.cancel(nil) // lets go of the caller's context
}

// pushed pushes the agent and starts it. The command that becomes the agent is
// sent while the push is under way and waits there, which saves two round
// trips; if it cannot, it is sent again after the push.
func (s *agentStart) pushed(m *missingAgent, found *started) (*started, io.Reader, error) {
	turns := newTurns(found)
	feed, err := s.push(m, turns)
	if err != nil {
		return nil, nil, err
	}
	if !s.sent.begin() {
		return nil, nil, ErrGivenUp
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
	if c, err := s.exec(ctx, " wait:"+pushWait, turns.gate(ctx)); err != nil {
		close(turns.early)
	} else if out, missing, err := s.hello(c, there); err == nil && missing == nil {
		return c, out, nil
	}
	if <-there; pushErr != nil {
		return nil, nil, pushErr
	}
	c, err := s.execInPlace(ctx)
	if err != nil {
		return nil, nil, &AgentError{Op: "start agent", Err: err}
	}
	out, missing, err := s.hello(c, there)
	if err == nil && missing != nil {
		err = &AgentError{Op: "start agent", Err: fmt.Errorf("it was pushed to %s and is not there", m.dir)}
	}
	return c, out, err
}
