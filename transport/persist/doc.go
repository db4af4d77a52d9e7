// Package persist keeps connections between runs of labctl, as ssh does with ControlPersist. x/crypto cannot hand a
// connection from one process to another, so a process of its own owns them and serves them on a private Unix socket;
// a Dialer is the other end. Each operation is a connection to that socket of its own: a line of JSON says what is
// wanted, lines answer, and then the bytes of a command, a file transfer or a forwarded connection follow. What a
// client has begun ends with it; what it has logged in to stays for a while.
package persist
