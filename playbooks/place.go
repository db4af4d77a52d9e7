package playbooks

import (
	"math"
	"slices"
)

// Place is where a host is in its play: the indices of what has its turn, in the tasks of the play, in its handlers, and in the
// tasks of one of these, or of one turn of a role or a file. Hosts of a play are at the same place where these are equal, and
// whatever way a host takes it comes to greater ones only, by slices.Compare.
type Place []int

// Place is where the host is.
func (r *HostRun) Place() Place { return r.place(r.at) }

// place is that of a frame. The handlers at the end stand behind the tasks of the play.
func (r *HostRun) place(f *frame) Place {
	var p Place
	for ; f != nil; f = f.up {
		p = append(p, f.pc)
		switch {
		case f.sweep && f.up == nil:
			p = append(r.whose(p, f), len(r.play.items))
		case f.sweep && f.own == nil:
			p = r.whose(p, f)
		case f.up != nil && !f.up.sweep:
			p = append(p, f.turn)
		}
	}
	slices.Reverse(p)
	return p
}

// whose adds, from behind, whose handlers a sweep goes through: those of roles stand where these are used, in a role before those
// around it, and those of the play behind all of them.
func (r *HostRun) whose(p Place, f *frame) Place {
	p = append(p, math.MaxInt)
	if f.whose < len(r.called) {
		for sc := r.called[f.whose]; sc.call != nil; sc = sc.up {
			p = append(p, sc.number, sc.call.number)
		}
	}
	return p
}
