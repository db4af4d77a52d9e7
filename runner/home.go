package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"labctl/agent/wire"
	"labctl/playbooks"
)

// KindController is the kind of the error of a task that this machine is to blame for: it cannot keep what the host has sent.
const KindController = "controller"

// parcel is a file on its way home, for the request that a host is at. It is written beside its place, and takes that when all
// of it is there.
type parcel struct {
	path string
	temp *os.File // nil: nothing has come yet
	sum  hash.Hash
	err  error
}

// part takes in a piece of a file. What goes wrong is told when the task is done.
func (x *hostPlay) part(p *wire.Part) {
	if len(x.sent) == 0 || x.sent[0].id != p.ID || x.sent[0].step.Home == "" {
		return // nobody has asked for it
	}
	if x.parcel == nil {
		x.parcel = &parcel{path: x.sent[0].step.Home, sum: sha256.New()}
	}
	if x.parcel.err == nil {
		x.parcel.err = x.parcel.take(p)
	}
}

func (p *parcel) take(part *wire.Part) error {
	if p.temp == nil {
		dir := filepath.Dir(p.path)
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			p.temp, err = os.CreateTemp(dir, ".labctl-*")
		}
		if err != nil {
			return err
		}
	}
	p.sum.Write(part.Data)
	if _, err := p.temp.Write(part.Data); err != nil || part.Whole == "" {
		return err
	}
	return p.keep(part.Whole)
}

// keep gives the file its name.
func (p *parcel) keep(want string) error {
	if got := hex.EncodeToString(p.sum.Sum(nil)); got != want {
		return fmt.Errorf("what has come of %s has the SHA-256 %s, not %s", p.path, got, want)
	}
	if info, err := os.Stat(p.path); err == nil {
		_ = p.temp.Chmod(info.Mode().Perm())
	}
	if err := errors.Join(p.temp.Sync(), p.temp.Close()); err != nil {
		return err
	}
	return os.Rename(p.temp.Name(), p.path)
}

// unpacked ends the file of a request that is done, and returns why it is not in its place.
func (x *hostPlay) unpacked() error {
	p := x.parcel
	x.parcel = nil
	if p == nil {
		return nil
	}
	if p.temp != nil {
		_ = p.temp.Close()
		_ = os.Remove(p.temp.Name()) // it has another name when all went well
	}
	return p.err
}

// claim reserves the file that a step brings home for its host. Two that bring the same would take turns for ever.
func (r *Runner) claim(st playbooks.Step, host string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, ok := r.homes[st.Home]; ok && other != host {
		return fmt.Errorf("%s is where the file of %s goes: let the name end with /, or have ${host.name} in it", st.Home, other)
	}
	r.homes[st.Home] = host
	return nil
}

// homeless reports a step whose file has no place to go to.
func (x *hostPlay) homeless(st playbooks.Step, err error) {
	x.settle(st, nil, &Error{Kind: wire.KindArgument, Message: err.Error()})
}
