package transport

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// push prepares to bring the agent to the directory that findScript named; feed
// does it.
func (s *agentStart) push(m *missingAgent, turns *turns) (feed func() error, err error) {
	fail := func(err error) (func() error, error) { return nil, &AgentError{Op: "push agent", Err: err} }
	arch := goarchOf(m.machine)
	hash, ok := s.bins.Hash(arch)
	if arch == "" || !ok {
		return fail(fmt.Errorf("there is no agent for machine type %s", m.machine))
	}
	if m.dir == "-" {
		return nil, &AgentError{Op: "push agent", Err: fmt.Errorf("no directory where a program may run; tried %s", m.tried), Hint: execAdvice(m.tried)}
	}
	content, err := s.open(arch, m.unpack)
	if err != nil {
		return fail(err)
	}
	s.opts.Logf("push agent for %s: %d bytes to %s", arch, content.length, m.dir)
	return func() error {
		defer content.Close()
		if said, err := s.send(m, hash, content, turns); err != nil {
			return &AgentError{Op: "push agent", Err: err, Stderr: said}
		}
		return nil
	}, nil
}

// send runs the command that takes the agent.
func (s *agentStart) send(m *missingAgent, hash string, content *pushContent, turns *turns) (said string, err error) {
	how := s.opts.Become.manner(true)
	args := []string{m.dir, hash, fmt.Sprint(content.size), content.program, ""}
	if how.tty {
		args[4] = fmt.Sprint(content.length)
	}
	start := func() (*Process, error) {
		return turns.push(s.ctx, func() (*Process, error) {
			command, err := how.command("labctl-push", pushScript, args...)
			if err != nil {
				return nil, err
			}
			return startCommand(s.ctx, s.conn, command, startWay{tty: how.tty})
		})
	}
	heard := &pushProgress{tell: func(done int64) { s.arrived(done, content.size) }}
	return feedAs(s.ctx, s.limit(), how, start, io.MultiReader(strings.NewReader(beginning), content), heard)
}

// pushContent is an agent as it travels.
type pushContent struct {
	io.ReadCloser
	program      string // unpacks it; empty if it is not packed
	length, size int64  // packed and unpacked, in bytes
	read         int64
	sent         *delivery
}

func (c *pushContent) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.read += int64(n); c.read >= c.length && !c.sent.complete() {
		return 0, ErrGivenUp
	}
	return n, err
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
			return &pushContent{ReadCloser: r, program: program, length: length, size: size, sent: &s.sent}, nil
		case !errors.Is(err, errors.ErrUnsupported):
			return nil, err
		}
	}
	return nil, fmt.Errorf("there is no plain agent for %s", arch)
}
