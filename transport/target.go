package transport

import (
	"net"
	"strconv"
	"time"
)

func (t *Target) port() int {
	if t.Port == 0 {
		return 22
	}
	return t.Port
}

// addr is what messages show and host keys are looked up for.
func (t *Target) addr() string {
	return net.JoinHostPort(bareHost(t.Address), strconv.Itoa(t.port()))
}

// dialAddr is what is really dialled.
func (t *Target) dialAddr() string {
	if t.Dial != "" {
		return t.Dial
	}
	return t.addr()
}

// before is the hop before this one; nil if it is reached from here, which a ProxyCommand does as well as TCP.
func (t *Target) before() *Target {
	if t.proxied() {
		return nil
	}
	return t.Via
}

// sshd names the server for the limit of handshakes. Commands may all go through the same one, as with ssh -W, so they count
// together.
func (t *Target) sshd() string {
	switch {
	case t.proxied():
		return "ProxyCommand"
	case t.Via == nil:
		return t.dialAddr()
	}
	return t.dialAddr() + " < " + t.Via.sshd()
}

// Way tells, in words, through what a machine is reached, and as whom where that is said: where it is another, the machine may be another
// one, too. On nil it is that of this computer itself.
func (t *Target) Way() string {
	if t == nil {
		return "without SSH"
	}
	if t.User != "" {
		return "as " + t.User + " " + t.place()
	}
	return t.place()
}

func (t *Target) place() string {
	switch {
	case t.proxied():
		return "by " + t.ProxyCommand
	case t.Via == nil:
		return "at " + t.dialAddr()
	}
	return "at " + t.dialAddr() + ", behind the one " + t.Via.place()
}

func (t *Target) user() string {
	if t.User == "" {
		return localUser()
	}
	return t.User
}

func (t *Target) connectTimeout() time.Duration {
	if t.ConnectTimeout == 0 {
		return 30 * time.Second
	}
	return t.ConnectTimeout
}

func (t *Target) aliveInterval() time.Duration {
	if t.ServerAliveInterval == 0 {
		return 15 * time.Second
	}
	return t.ServerAliveInterval
}

func (t *Target) aliveCountMax() int {
	if t.ServerAliveCountMax == 0 {
		return 3
	}
	return t.ServerAliveCountMax
}
