package transport

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"
)

// started is a command that runs, maybe as another user.
type started struct {
	p    *Process
	talk *dialogue
}

// exec starts the command that becomes the agent, and lets what is written flow to it. more is for findScript, gate as in
// startWay.
func (s *agentStart) exec(ctx context.Context, more string, gate func() error) (*started, error) {
	m := s.opts.Become.manner(false)
	command, err := m.command("labctl-agent", findScript, append([]string{s.known + more}, s.opts.Args...)...)
	if err != nil {
		return nil, err
	}
	c := &started{talk: &dialogue{ctx: ctx, m: m, rest: s.stderr, wait: newPatience(s.limit())}}
	if c.p, err = startCommand(ctx, s.conn, command, startWay{m.tty, gate}); err != nil {
		return nil, err
	}
	c.talk.wait.over = func() { c.p.kill(&silentError{s.limit()}) }
	c.talk.begin = func(lead string) { s.replay.attach(c.p.Stdin, lead) }
	c.talk.attend(c.p)
	return c, nil
}

// execInPlace is exec after the end of another command.
func (s *agentStart) execInPlace(ctx context.Context) (*started, error) {
	return InPlace(ctx, func() (*started, error) { return s.exec(ctx, "", nil) })
}

func (s *agentStart) limit() time.Duration {
	if s.opts.HelloTimeout == 0 {
		return defaultTimeout
	}
	return s.opts.HelloTimeout
}

// missingAgent is what findScript says when it finds no agent.
type missingAgent struct {
	machine, dir, tried string
	unpack              []string // programs that could unpack it there, best first
}

// hello reads up to the agent's first byte, or the news that there is none. The
// time it may take is counted after begin.
func (s *agentStart) hello(c *started, begin <-chan struct{}) (io.Reader, *missingAgent, error) {
	done := make(chan struct{})
	defer close(done)
	defer c.talk.wait.end()
	go func() {
		select {
		case <-begin:
			c.talk.wait.start()
		case <-done:
		}
	}()
	out := c.p.Stdout
	var err error
	if c.talk.m.tty {
		out, err = c.talk.overTerminal(out)
	}
	var missing *missingAgent
	var noise []byte
	if err == nil {
		out, missing, noise, err = scanHello(out)
	}
	if err != nil {
		return nil, nil, s.failure("start agent", c, noise, err)
	}
	c.talk.learn()
	return out, missing, nil
}

// feedAs has a command started, gives it r, once, when it takes input, which it must do within limit, and waits for its end.
// heard gets what it says on standard output; what it says on standard error may explain the error.
func feedAs(ctx context.Context, limit time.Duration, how manner, start func() (*Process, error), r io.Reader, heard io.Writer) (said string, err error) {
	lead := make(chan string, 1)
	c := &started{talk: &dialogue{ctx: ctx, m: how, rest: io.Discard, wait: newPatience(limit)}}
	c.talk.wait.over = func() { c.p.kill(&silentError{limit}) }
	defer c.talk.wait.end()
	c.talk.begin = func(l string) {
		select {
		case lead <- l:
		default: // a second time: it cannot be begun anew
			c.p.kill(&refusedError{become: how.become})
		}
	}
	if c.p, err = start(); err != nil {
		return "", err
	}
	c.talk.wait.start()
	c.talk.attend(c.p)
	return c.feed(r, lead, heard)
}

// feed gives r to the command, when it is its turn, and waits for its end. What the command says on standard error may
// explain the error.
func (c *started) feed(r io.Reader, lead <-chan string, heard io.Writer) (said string, err error) {
	ended := make(chan struct{})
	go func() {
		_, _ = c.p.Wait()
		close(ended)
	}()
	if c.talk.m.tty {
		if c.p.Stdout, err = c.talk.overTerminal(c.p.Stdout); err != nil {
			c.p.kill(err)
			return c.talk.explanation(), err
		}
		c.p.Stdin = keptOpen{c.p.Stdin}
	}
	select {
	case l := <-lead:
		c.talk.wait.end()
		r = io.MultiReader(strings.NewReader(l), r)
	case <-ended:
	}
	_, err = c.p.feed(r, heard)
	return c.talk.explanation(), err
}

// keptOpen is the input of a command on a terminal, which knows by itself where that ends: closing it would hang up.
type keptOpen struct{ io.Writer }

func (keptOpen) Close() error { return nil }

// patience is how long something may take, not counting when it is stopped.
type patience struct {
	limit time.Duration
	over  func()

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

func newPatience(limit time.Duration) *patience { return &patience{limit: limit} }

// start counts anew.
func (p *patience) start() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if !p.ended {
		p.timer = time.AfterFunc(p.limit, p.over)
	}
}

func (p *patience) stop() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
}

// end stops for good.
func (p *patience) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.stop()
}
