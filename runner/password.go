package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"labctl/inventory"
	"labctl/playbooks"
	"labctl/transport"
)

// Becoming says how other users are become where neither the inventory nor a play says it.
type Becoming struct {
	Method   string // "": sudo
	Password string // "": there is none
	// Again asks the user for another password, when host has refused the one before; nil: nobody can be asked.
	Again func(ctx context.Context, host string) (string, error)
}

// mostPasswords is how many the user is asked for, as with sudo (passwd_tries in sudoers(5)).
const mostPasswords = 3

// trial is a password that many machines may share. Until one of them has taken it, it is tried on one at a time, so that a wrong
// one does not cost a failed login on each (faillock(8)); when it is refused there and nobody types another, it is tried nowhere
// else. Once it has been taken, who refuses it does so for that machine alone.
type trial struct {
	again func(ctx context.Context, host string) (string, error)

	mu       sync.Mutex
	password string
	typed    int
	on       string        // where it is being tried, "" for nowhere
	taken    bool          // by a machine
	refused  string        // by that machine, for good
	changed  chan struct{} // closed when any of these changes
}

func newTrial(password string, again func(context.Context, string) (string, error)) *trial {
	return &trial{password: password, again: again, typed: 1, changed: make(chan struct{})}
}

// get is the password for a host which has refused one, "" the first time. It waits for what comes of it on another host.
func (t *trial) get(ctx context.Context, host, refused string) (string, error) {
	for {
		t.mu.Lock()
		wait := t.changed
		switch {
		case refused != "" && refused == t.password && t.on == host:
			t.mu.Unlock()
			return t.other(ctx, host)
		case refused != "" && refused == t.password:
			t.mu.Unlock()
			return "", errNoOther
		case t.refused != "":
			t.mu.Unlock()
			return "", &transport.WithheldError{Why: fmt.Sprintf("the password to become another user is not tried here, as %s has refused it: "+
				"give %s one of its own (become_password), or leave it out, if it is right here", t.refused, t.refused)}
		case t.taken, t.on == "", t.on == host:
			if !t.taken {
				t.on = host
			}
			defer t.mu.Unlock()
			return t.password, nil
		}
		t.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

var errNoOther = errors.New("there is no other")

// other has the user type another password, which is tried on the same host.
func (t *trial) other(ctx context.Context, host string) (string, error) {
	err := errNoOther
	if t.again != nil && t.typed < mostPasswords {
		var password string
		if password, err = t.again(ctx, host); err == nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.password = password
			t.typed++
			return password, nil
		}
	}
	t.set(func() { t.refused, t.on = host, "" })
	return "", err
}

// judged takes in what came of the password on a host.
func (t *trial) judged(host string, err error) {
	t.set(func() {
		if t.on == host {
			t.on, t.taken = "", err == nil
		}
	})
}

// set changes the state and tells those who wait.
func (t *trial) set(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
	close(t.changed)
	t.changed = make(chan struct{})
}

// trialKey tells passwords apart: one that is wrong for sudo may be right for su, which wants another's.
type trialKey struct{ method, password string }

// trial is that of the password with which a method is used on a host, nil if there is no password.
func (c *Connector) trial(method string, id playbooks.Identity, h *inventory.Host) *trial {
	key, again := trialKey{method: method, password: cmp.Or(id.Password, h.BecomePassword.Reveal())}, c.Becoming.Again
	if key.password != "" {
		again = nil
	} else if key.password = c.Becoming.Password; key.password == "" {
		return nil
	}
	if again != nil {
		key.method = "" // the user types one for all
	}
	t := c.trials[key]
	if t == nil {
		if c.trials == nil {
			c.trials = map[trialKey]*trial{}
		}
		t = newTrial(key.password, again)
		c.trials[key] = t
	}
	return t
}
