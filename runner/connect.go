package runner

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"labctl/agent/wire"
	"labctl/inventory"
	"labctl/playbooks"
	"labctl/transport"
)

// Opener starts an agent for a host, run as become says: a Connector, or Against snapshots. With ahead,
// requests follow without waiting for the agent's introduction.
type Opener interface {
	open(ctx context.Context, h *inventory.Host, become playbooks.Identity, ahead bool, tell notices) (*link, error)
}

// notices is what an Opener tells meanwhile, from any goroutine.
type notices struct {
	log  func(level int, msg string) // one line worth showing from that many -v on
	push func(done, total int64)     // how many bytes of the agent are there, every second while it is pushed; may be nil
}

var _, _ Opener = (*Connector)(nil), (*Against)(nil)

// Connector reaches the hosts of an inventory through transport.
type Connector struct {
	Pool   transport.Dialer
	Agents transport.Agents
	// Target says how to reach a host; nil without an error: on this machine, without SSH.
	Target func(h *inventory.Host) (*transport.Target, error)
	// Targets is what makes Target of an inventory, where hosts may be added during a run; nil: Target stays.
	Targets  func(inv *inventory.Inventory) func(h *inventory.Host) (*transport.Target, error)
	Becoming Becoming

	mu      sync.Mutex
	becomes map[becomeKey]*transport.Become // what has been learnt of a host stays
	trials  map[trialKey]*trial
}

func (c *Connector) grow(inv *inventory.Inventory) {
	if c.Targets != nil {
		c.Target = c.Targets(inv)
	}
}

// forgive lets a host be tried again that could not be reached.
func (c *Connector) forgive(h *inventory.Host) {
	if t, err := c.Target(h); err == nil {
		c.Pool.Forgive(t)
	}
}

type becomeKey struct {
	host string
	as   playbooks.Identity
}

// become says how to become another user on a host; nil: it is to be the login user.
func (c *Connector) become(h *inventory.Host, id playbooks.Identity) *transport.Become {
	if id.User == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := becomeKey{h.Name, id}
	if b := c.becomes[key]; b != nil {
		return b
	}
	b := &transport.Become{User: id.User, Method: cmp.Or(id.Method, h.BecomeMethod, c.Becoming.Method, transport.BecomeSudo), Flags: id.FlagList()}
	if b.Flags == nil {
		b.Flags = h.BecomeFlags
	}
	if t := c.trial(b.Method, id, h); t != nil {
		b.Known = true
		b.Password = func(ctx context.Context, refused string) (string, error) { return t.get(ctx, h.Name, refused) }
		b.Judged = func(err error) { t.judged(h.Name, err) }
	}
	if c.becomes == nil {
		c.becomes = map[becomeKey]*transport.Become{}
	}
	c.becomes[key] = b
	return b
}

// SettingsError says that what is set about a host is at fault, of whose way there nothing was tried.
type SettingsError struct{ Err error }

func (e *SettingsError) Error() string { return e.Err.Error() }
func (e *SettingsError) Unwrap() error { return e.Err }

// Dial connects to a host, whoever is to talk to it then. local says that it is this machine, reached without SSH.
func (c *Connector) Dial(ctx context.Context, h *inventory.Host) (conn transport.Conn, local bool, err error) {
	t, err := c.Target(h)
	if err != nil {
		return nil, false, &SettingsError{err}
	}
	if t == nil {
		return transport.Local(), true, nil
	}
	conn, err = c.Pool.Dial(ctx, t)
	return conn, false, err
}

func (c *Connector) open(ctx context.Context, h *inventory.Host, become playbooks.Identity, ahead bool, tell notices) (*link, error) {
	conn, local, err := c.Dial(ctx, h)
	if err != nil {
		return nil, err
	}
	l := &link{}
	// An interruption must not cut off an agent that runs: it is asked to stop, and tells what it has done.
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cut)
	defer stop()
	args := []string{agentVerb}
	if ahead {
		args = append(args, wire.AheadArgument)
	}
	as := c.become(h, become)
	p, err := transport.StartAgent(life, conn, c.Agents, transport.AgentOptions{Become: as, Args: args, Progress: tell.push, Logf: func(f string, args ...any) {
		l.pushed.Store(true)
		tell.log(1, fmt.Sprintf(f, args...))
	}})
	if err != nil {
		cut()
		_ = conn.Close()
		return nil, err
	}
	l.stdin, l.stdout, l.stderr, l.giveUp = p.Stdin, p.Stdout, p.Stderr, p.GiveUp
	l.cost = func() *Cost { return cost(conn.Stats()) }
	l.close = func() error {
		_ = p.Stdin.Close()
		if local {
			linger(p)
		}
		cut()
		_ = p.Close()
		return conn.Close()
	}
	return l, nil
}

// agentVerb makes labctl itself an agent, where none is embedded for a machine. The embedded agents do not mind it.
const agentVerb = "agent"

// linger lets a local agent end by itself, since closing kills it. Over SSH the agent outlives its session as long as it needs,
// and waiting for that would be a round trip.
func linger(p *transport.Process) {
	defer time.AfterFunc(5*time.Second, func() { _ = p.Close() }).Stop()
	_, _ = p.Wait()
}

func cost(s transport.Stats) *Cost {
	c := &Cost{RoundTrips: s.RoundTrips, RTT: s.RTT, BytesIn: s.BytesIn, BytesOut: s.BytesOut, Handshake: s.Handshake}
	if s.Via != nil {
		c.Via = cost(*s.Via)
	}
	return c
}
