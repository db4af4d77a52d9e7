package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/crypto/ssh"
)

// unknownKey is a host key that may be accepted.
type unknownKey struct {
	*HostKeyError
	name  string // to write
	files []string
	hash  bool
	key   ssh.PublicKey

	target *Target
}

func (u *unknownKey) Unwrap() error { return u.HostKeyError }

// record writes the key down. As with ssh a file that cannot be written to is
// no reason to stop: the key is then trusted for this run.
func (u *unknownKey) record(store *knownStore, logf func(string, ...any)) {
	if err := store.appendKnown(u.files[0], u.name, u.key, u.hash); err != nil {
		logf("write key of %s to known hosts: %v: it is trusted for this run only", u.name, err)
		store.trust(u.name, u.key)
	}
}

// same reports whether one answer does for both.
func (u *unknownKey) same(v *unknownKey) bool {
	return u.name == v.name && u.files[0] == v.files[0] && u.Fingerprint == v.Fingerprint
}

// moreKeys is how long a question waits for another unknown key to come while
// some handshake may still bring one.
const moreKeys = time.Second

// keyQuestions gathers the unknown keys of all hops, so that the user is asked
// about all at once. No connection is open meanwhile: sshd would end it
// (LoginGraceTime).
type keyQuestions struct {
	pool *Pool

	mu       sync.Mutex
	underWay int // handshakes that may still bring an unknown key
	waiting  []*keyQuestion
	running  bool
	changed  chan struct{} // closed and made anew at every change
}

type keyQuestion struct {
	*unknownKey
	gone   bool       // nobody waits for the answer any more
	answer chan error // nil: accepted
}

// begin counts a handshake; the function that it returns ends the counting.
func (q *keyQuestions) begin() (end func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay++
	return sync.OnceFunc(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.underWay--
		q.changeLocked()
	})
}

func (q *keyQuestions) changeLocked() {
	if q.changed != nil {
		close(q.changed)
	}
	q.changed = make(chan struct{})
}

// ask returns nil once the user has accepted the key, and it is written down.
// It calls end, of the handshake that brought the key, once it is counted here.
func (q *keyQuestions) ask(ctx context.Context, u *unknownKey, end func()) error {
	k := &keyQuestion{unknownKey: u, answer: make(chan error, 1)}
	q.mu.Lock()
	q.waiting = append(q.waiting, k)
	q.changeLocked()
	if !q.running {
		q.running = true
		q.pool.wg.Go(q.run)
	}
	q.mu.Unlock()
	end()
	select {
	case err := <-k.answer:
		return err
	case <-ctx.Done():
		q.mu.Lock()
		k.gone = true
		q.changeLocked()
		q.mu.Unlock()
		return context.Cause(ctx)
	}
}

// run asks until there is nothing to ask.
func (q *keyQuestions) run() {
	for {
		q.gather()
		q.mu.Lock()
		batch := slices.DeleteFunc(q.waiting, func(k *keyQuestion) bool { return k.gone })
		q.waiting = nil
		q.running = len(batch) > 0
		q.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		q.put(batch)
	}
}

// gather returns when no handshake can bring another key, or none has for a
// while, or nobody waits.
func (q *keyQuestions) gather() {
	late := time.NewTimer(moreKeys)
	defer late.Stop()
	known := 0
	for {
		q.mu.Lock()
		n, idle, changed := len(q.waiting), q.underWay == 0, q.changed
		q.mu.Unlock()
		if n != known {
			known = n
			late.Reset(moreKeys)
		}
		if idle {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			return
		case <-q.pool.ctx.Done():
			return
		}
	}
}

// put asks about a batch. It is called off when nobody waits any more.
func (q *keyQuestions) put(batch []*keyQuestion) {
	ctx, cancel := context.WithCancelCause(q.pool.ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	q.pool.wg.Go(func() {
		for {
			q.mu.Lock()
			changed := q.changed
			left := slices.ContainsFunc(batch, func(k *keyQuestion) bool { return !k.gone })
			q.mu.Unlock()
			if !left {
				cancel(errGivenUp)
			}
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	})
	var open []*unknownKey
	for _, k := range batch {
		if !slices.ContainsFunc(open, k.same) {
			open = append(open, k.unknownKey)
		}
	}
	accepted, why := q.dialogue(ctx, open)
	for _, k := range batch {
		k.answer <- q.outcome(k.unknownKey, accepted, why)
	}
}

var errGivenUp = errors.New("nobody waits for the answer any more")

func (q *keyQuestions) outcome(u *unknownKey, accepted []*unknownKey, why string) error {
	if !slices.ContainsFunc(accepted, u.same) {
		refused := *u.HostKeyError
		refused.Refused = why
		return &refused
	}
	u.record(&q.pool.known, q.pool.opts.Logf)
	return nil
}

// dialogue returns the keys that the user accepts, and why the others are not.
func (q *keyQuestions) dialogue(ctx context.Context, open []*unknownKey) (accepted []*unknownKey, why string) {
	question := q.question(open)
	for {
		answers, err := q.pool.opts.Ask(ctx, question)
		if err != nil {
			return accepted, err.Error()
		}
		switch answer := strings.TrimSpace(answers[0]); {
		case strings.EqualFold(answer, "yes"):
			return append(accepted, open...), ""
		case strings.EqualFold(answer, "no") || answer == "": // sshconnect.c takes an empty line for no
			return accepted, "you said no"
		default:
			left := slices.DeleteFunc(slices.Clone(open), func(u *unknownKey) bool {
				return u.Fingerprint == answer || strings.TrimPrefix(u.Fingerprint, "SHA256:") == answer
			})
			if len(left) == len(open) {
				question = Question{Fields: []Field{{Prompt: "Please type 'yes', 'no' or a fingerprint from above: ", Echo: true}}}
				continue
			}
			for _, u := range open {
				if !slices.Contains(left, u) {
					accepted = append(accepted, u)
				}
			}
			if open = left; len(open) == 0 {
				return accepted, ""
			}
			question = q.question(open)
		}
	}
}

func (q *keyQuestions) question(open []*unknownKey) Question {
	slices.SortStableFunc(open, func(a, b *unknownKey) int { return strings.Compare(a.target.Name, b.target.Name) })
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, u := range open {
		where := u.target.addr()
		if u.target.Via != nil {
			where += " through " + u.target.Via.Name
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", u.target.Name, where, u.Type, u.Fingerprint)
		for _, other := range q.pool.known.namesOf(u.files, u.key) {
			fmt.Fprintf(table, "    this key is known as %s\t\t\t\n", other)
		}
	}
	_ = table.Flush()
	out := Question{Title: "The key of a host is not known yet:", Text: text.String(),
		Fields: []Field{{Prompt: "Is it right? (yes/no/[fingerprint]) ", Echo: true}}}
	if len(open) == 1 {
		out.Hop = open[0].target.Name
		return out
	}
	out.Title = fmt.Sprintf("The keys of %d hosts are not known yet:", len(open))
	out.Fields[0].Prompt = "Are all of them right? (yes/no/[fingerprint of one that is]) "
	return out
}

// keyOutcome is what came of a host key that was not the last word; without
// err, it is worth to connect again.
type keyOutcome struct{ err error }

// settleKey looks after the host key that an attempt has failed for, now that
// its connection is closed: it asks the user about an unknown one, or has the
// server show another. It returns nil if there is nothing to look after.
func (a *attempt) settleKey(ctx context.Context, fault *Error) *keyOutcome {
	var noCommon *ssh.AlgorithmNegotiationError
	if fault != nil && a.wrong != nil && errors.As(fault.Err, &noCommon) {
		return &keyOutcome{a.wrong} // the server has no more types
	}
	err := a.again.Swap(nil)
	if err == nil {
		return nil
	}
	var fresh *unknownKey
	var other *anotherType
	switch {
	case errors.As(*err, &other):
		if a.wrong == nil {
			a.wrong = other.HostKeyError
		}
		return &keyOutcome{}
	case !errors.As(*err, &fresh):
		return nil
	}
	questions := &a.link.pool.keys
	answer := questions.ask(ctx, fresh, a.keyed)
	a.keyed = questions.begin()
	return &keyOutcome{err: answer}
}
