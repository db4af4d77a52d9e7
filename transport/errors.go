package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

var errClosed = errors.New("connection closed")

// Phase is how far a connection to one hop came.
type Phase string

// The phases of a connection, in their order.
const (
	PhaseSettings Phase = "settings"      // identity files, known_hosts: nothing was dialled
	PhaseTCP      Phase = "tcp"           // the first hop
	PhaseProxy    Phase = "proxy command" // in place of TCP
	PhaseChannel  Phase = "open channel"  // the later hops: forwarding through the one before
	PhaseBanner   Phase = "banner"        // until the server's version line
	PhaseKex      Phase = "kex"
	PhaseHostKey  Phase = "host key"
	PhaseAuth     Phase = "auth"
)

// Error says why a machine cannot be reached: at which hop, how far it got
// there, the cause, and what to do.
type Error struct {
	Target string // inventory name of the machine wanted
	Hop    string // inventory name of the machine that failed: Target, or a jump host before it
	Via    string // the hop before Hop; empty if it was dialled from here
	Addr   string // host:port as seen from Via
	Phase  Phase
	Err    error
	Hint   string // what to do, in whole words; may be empty
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Hop != e.Target {
		fmt.Fprintf(&b, "reach %s: ", e.Target)
	}
	fmt.Fprintf(&b, "connect to %s", e.Hop)
	if e.Addr != "" && e.Addr != e.Hop {
		fmt.Fprintf(&b, " (%s)", e.Addr)
	}
	if e.Via != "" {
		fmt.Fprintf(&b, " through %s", e.Via)
	}
	if e.Phase != PhaseSettings {
		fmt.Fprintf(&b, ": %s", e.Phase)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Hint != "" {
		fmt.Fprintf(&b, ": %s", e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// lasting reports whether trying again in the same run is pointless, and
// harmful: sshd counts failures against the whole source address.
func (e *Error) lasting() bool {
	return e.Phase == PhaseAuth && !isTimeout(e.Err) || e.Phase == PhaseHostKey || e.Phase == PhaseSettings
}

// refused reports whether the server hung up before it identified itself,
// which a busy sshd does on purpose.
func (e *Error) refused() bool {
	var proxy *ProxyError
	if errors.As(e.Err, &proxy) {
		return proxy.dropped
	}
	return e.Phase == PhaseBanner && !isTimeout(e.Err) && !errors.Is(e.Err, context.Canceled)
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// TimeoutError is the cause when a hop did not answer within its time.
type TimeoutError struct{ After string }

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("no answer within connect_timeout (%s)", e.After)
}

// Is makes a TimeoutError match context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// hint says in plain words what the usual reason for a failure is.
func hint(phase Phase, via string, err error, preamble string) string {
	var open *ssh.OpenChannelError
	var proxy *ProxyError
	var agent *AgentError
	switch {
	case errors.As(err, &agent): // of a relay; it has its own
		return ""
	case errors.As(err, &proxy):
		return proxy.hint()
	case isTimeout(err) || errors.Is(err, context.Canceled):
		return timeoutHint(phase, via)
	case errors.As(err, &open):
		return openHint(open, via)
	case phase == PhaseTCP && errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is sshd running, and is the port right?"
	case phase == PhaseTCP && isNotFound(err):
		return "the name is unknown here: is the address right?"
	case phase == PhaseBanner:
		return bannerHint(preamble)
	}
	return noCommonHint(err)
}

func timeoutHint(phase Phase, via string) string {
	switch {
	case phase == PhaseTCP:
		return "the machine is down, or a firewall drops the packets"
	case phase == PhaseChannel:
		return fmt.Sprintf("%s does not answer, or cannot reach the address", via)
	case phase == PhaseBanner:
		return "the port is open but sshd says nothing: is it an SSH port, and is sshd stuck?"
	}
	return ""
}

// bannerHint explains why a server hangs up before its version line, where it may say something else first. OpenSSH does since
// 8.5 (sshd.c, drop_connection), older ones only hang up, as do those that bar an address by other means.
func bannerHint(preamble string) string {
	switch {
	case strings.Contains(preamble, "Exceeded MaxStartups"):
		return "more logins are under way there than its sshd takes at a time (MaxStartups, PerSourceMaxStartups in its sshd_config): try again, or with fewer hosts at a time (--forks)"
	case strings.Contains(preamble, "Not allowed at this time"):
		return "its sshd bars this address for a while, since logins from here have failed (PerSourcePenalties in its sshd_config): wait, and name the right key and user (identity_file, user)"
	case preamble != "":
		return fmt.Sprintf("the server said %q in place of an SSH version: is it an SSH port?", preamble)
	}
	return "the server hung up before it said its SSH version: too many logins at a time (MaxStartups in its sshd_config), or this address is barred (PerSourcePenalties, fail2ban, sshguard, hosts.deny)"
}

// hungUp reports whether the other side has ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// openHint explains a refused direct-tcpip channel (RFC 4254 section 5.1).
// sshd sends Prohibited for its own rules and ConnectionFailed, with the text
// of connect(2), for the network's.
func openHint(open *ssh.OpenChannelError, via string) string {
	switch {
	case open.Reason == ssh.Prohibited:
		return fmt.Sprintf("sshd on %s forbids forwarding: see AllowTcpForwarding, PermitOpen, DisableForwarding there and restrict, permitopen in authorized_keys; relay = true for %s has the agent make the connections there, in a session of its own, if that is allowed", via, via)
	case strings.Contains(open.Message, "refused"):
		return fmt.Sprintf("seen from %s nothing listens there: is sshd running, and is the port right?", via)
	case open.Reason == ssh.ConnectionFailed:
		return fmt.Sprintf("%s cannot reach that address", via)
	}
	return ""
}

func isNotFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// plain takes away what x/crypto and net put around a cause and what the
// words of Error say already.
func plain(err error) error {
	var op *net.OpError
	var open *ssh.OpenChannelError
	var proxy *ProxyError
	var agent *AgentError
	switch {
	case errors.As(err, &proxy):
		return proxy
	case errors.As(err, &agent):
		return err
	case errors.As(err, &op) && op.Op == "dial" && op.Err != nil:
		return op.Err
	case errors.As(err, &open):
		return open
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "ssh: handshake failed") {
		return inner
	}
	return err
}
