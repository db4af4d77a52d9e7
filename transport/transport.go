// Package transport reaches machines: over SSH, through any chain of jump
// hosts, or locally. It moves bytes, starts commands and carries files; it
// may not know inventories, playbooks, modules or what the agent says. It
// imports no other package of labctl.
//
// Rules kept throughout. Connections through a jump host know no deadlines,
// so every wait ends by closing what is waited on. A host key is checked on
// every hop under that hop's own name. There is one connection per jump host,
// however many targets stand behind it.
package transport

import (
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/pkg/sftp"
)

// Target says how to reach one machine. A Target is not changed after it has
// been given to a Pool.
type Target struct {
	// Name is the inventory name: it stands in messages, and targets alike in
	// name and settings share a connection.
	Name string
	// Address and Port are as seen from Via; port 0 means 22.
	Address string
	Port    int
	// Dial, if set, is the host:port really dialled in place of Address and
	// Port. The host key is still looked up as HostKeyAlias or Address.
	Dial string

	// User is the login name; empty means the user who runs labctl.
	User string
	// IdentityFiles are private keys, or public keys whose private half the
	// agent holds. A leading ~/ is expanded. Empty means OpenSSH's defaults,
	// of which those that do not exist are passed over in silence.
	IdentityFiles []string
	// IdentitiesOnly keeps back keys of the ssh-agent that no file names.
	IdentitiesOnly bool
	// IdentityAgent is the agent's socket: "" means $SSH_AUTH_SOCK, "none" no agent.
	IdentityAgent string

	// HostKeyAlias replaces the address in known_hosts, without a port.
	HostKeyAlias string
	// KnownHosts are the files to look in; new keys go to the first. Empty
	// means OpenSSH's: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts, and
	// those with a 2 at the end of the name.
	KnownHosts []string
	// HostKeyPolicy is one of the Policy constants; empty means ask.
	HostKeyPolicy string
	// HostKeys are keys that this host may have and no other, in place of known_hosts: the form of a .pub file, or
	// SHA256:fingerprint. HostCAs are authorities that may certify it, in the form of a .pub file.
	HostKeys, HostCAs []string
	// RevokedHostKeys are files of keys that no host may have (ssh_config(5)): each one public key a line, or a KRL.
	RevokedHostKeys []string
	// KnownHostsCommand prints lines that count beside those of the files (ssh_config(5)): a program and its arguments, in
	// which KnownHostsTokens are put.
	KnownHostsCommand []string
	// HashKnownHosts hides names in the lines that are written to known_hosts.
	HashKnownHosts bool
	// NoHostAuthenticationForLocalhost takes whatever key comes from a loopback address that is dialled from here, where
	// neither HostKeyAlias nor HostKeys says by what it is known (ssh_config(5)).
	NoHostAuthenticationForLocalhost bool

	// CertificateFiles are certificates for the identities, beside those found as FILE-cert.pub.
	CertificateFiles []string
	// Authentications are the methods to try, in this order, of publickey, keyboard-interactive and password; empty
	// means all three in this order.
	Authentications []string
	// Password answers password and keyboard-interactive prompts without asking. It never appears in a message.
	Password string
	// PasswordPrompts bounds how often a password is asked for; 0 means 3.
	PasswordPrompts int
	// BatchMode asks nobody anything: what would be asked fails.
	BatchMode bool

	// The algorithms to offer, by their names in OpenSSH, best first; nil means those of golang.org/x/crypto/ssh. Names that it
	// does not know are passed over.
	KexAlgorithms, Ciphers, MACs, HostKeyAlgorithms, PubkeyAlgorithms []string
	// CASignatureAlgorithms are those by which an authority may have signed the certificate of a host; nil means those of
	// OpenSSH, which SHA-1 is not among.
	CASignatureAlgorithms []string
	// RequiredRSASize is the least number of bits of an RSA key, of the user or of the host; 0 means 1024.
	RequiredRSASize int

	// ConnectTimeout bounds each attempt from dialling until authenticated;
	// 0 means 30 s.
	ConnectTimeout time.Duration
	// ServerAliveInterval is the time between keepalives: 0 means 15 s,
	// negative none.
	ServerAliveInterval time.Duration
	// ServerAliveCountMax is how many keepalives may stay unanswered; 0 means 3.
	ServerAliveCountMax int

	// ConnectionAttempts is how often to try to dial, a second apart; 0 means 1.
	ConnectionAttempts int
	// AddressFamily is "inet" or "inet6", or empty for either; BindAddress and BindInterface are where to dial from.
	AddressFamily, BindAddress, BindInterface string

	// Via is the hop before this one; nil means TCP from here.
	Via *Target
	// Relay has an agent on this machine make the connections to those behind it, in one session, where its sshd forbids
	// forwarding.
	Relay bool
	// ProxyCommand is a command for the user's shell, with its tokens replaced, whose standard input and output are the
	// connection, in place of TCP (ssh_config(5)). It excludes Via.
	ProxyCommand string
	// ProxyUseFdpass says that the command passes the connection on, in place of being it.
	ProxyUseFdpass bool
	// ControlPath is where the socket of a live OpenSSH master may be (ssh_config(5)); a connection through it costs no login.
	ControlPath string
	// Persist is how long the connection is kept after its last use, where there is somebody to keep it (see Keep): 0
	// means DefaultPersist, negative that it is not kept.
	Persist time.Duration
}

// The host key policies: what to do about a host that known_hosts does not
// list. A changed or revoked key is refused under all but PolicyOff.
const (
	PolicyStrict    = "strict"     // refuse
	PolicyAsk       = "ask"        // ask the user by Options.Ask; refuse where there is nobody to ask
	PolicyAcceptNew = "accept-new" // write it down and go on
	PolicyOff       = "off"        // check nothing, write nothing
)

// Conn is an authenticated way into one machine. Its methods may be called
// from several goroutines.
type Conn interface {
	// Start runs cmd by the login shell of the user. The context governs the
	// whole life of the process, not only its start: when it ends, the process
	// is cut off and its streams report context.Cause.
	Start(ctx context.Context, cmd string) (*Process, error)
	// SFTP returns the connection's one SFTP client, opened at the first call.
	// It is closed with the Conn; the caller leaves it open.
	SFTP(ctx context.Context) (*sftp.Client, error)
	// Upload writes size bytes of r to path: to a temporary name beside it and
	// then renamed, so that path is either as it was or whole.
	Upload(ctx context.Context, path string, mode fs.FileMode, size int64, r io.Reader) error
	// Stats tells what the connection has cost so far.
	Stats() Stats
	// Close lets go of the connection. Processes still running are cut off
	// when the last Conn that shares the connection closes.
	Close() error
}

// Stats is what a connection has cost since it was dialled. For a target
// behind a jump host it counts what went through the jump for this target
// alone; Via holds the jump's own costs, which all targets behind it share.
type Stats struct {
	BytesIn, BytesOut int64
	// RoundTrips counts turns: reads that brought data after at least one
	// write since the read before, plus one for the TCP connection or the
	// forwarded channel. It is exact while one side waits for the other, as
	// in a handshake or in request and reply, and a lower bound while several
	// channels talk at once.
	RoundTrips int
	// Handshake is the time from dialling until authenticated, without the
	// wait for a free slot and without earlier, refused attempts.
	Handshake time.Duration
	// RTT is the shortest turn seen so far.
	RTT time.Duration
	Via *Stats
}
