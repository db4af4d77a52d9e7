package playbooks

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// program is what stands in a play or a handler, in order, and the blocks that it stands in.
type program struct {
	items  []item
	tasks  []*Task  // of the items, and of the roles and files that they call
	blocks []*block // outer ones before those in them
}

// item is a task, a call of other tasks, or a place where something else happens; exactly one field is set.
type item struct {
	task  *Task
	call  *call
	sync  *hcl.Range
	flush *hcl.Range
}

// block is a block of tasks: its body, what rescues that, and what is done in any case. They stand one behind the other, the
// last two may be empty.
type block struct{ body, rescue, always span }

// span is a part of a program: the items from one index to before another.
type span struct{ from, to int }

func (s span) holds(pc int) bool { return s.from <= pc && pc < s.to }
func (s span) empty() bool       { return s.from == s.to }

// all is the whole of the block.
func (b *block) all() span { return span{b.body.from, b.always.to} }

func (p *program) add(t *Task) {
	p.items = append(p.items, item{task: t})
	p.tasks = append(p.tasks, t)
}

// behind returns the index of what comes after the item at pc when that went well, and the blocks that end there, inner ones
// first.
func (p *program) behind(pc int) (next int, ended []*block) {
	next = pc + 1
	for _, b := range slices.Backward(p.blocks) {
		if !b.all().holds(pc) {
			continue
		}
		if b.body.holds(pc) && next == b.body.to {
			next = b.rescue.to
		}
		if next == b.all().to {
			ended = append(ended, b)
		}
	}
	return next, ended
}

// catch returns where a failure at pc is seen to: in a rescue part, or in an always part behind which it goes on. Blocks in
// outside, and those in them, have seen to it. catcher is nil when no block is left.
func (p *program) catch(pc int, outside *block) (to int, catcher *block, rescued bool) {
	for _, b := range slices.Backward(p.blocks) {
		switch {
		case !b.all().holds(pc) || outside != nil && outside.all().within(b.all()):
		case b.body.holds(pc) && !b.rescue.empty():
			return b.rescue.from, b, true
		case !b.always.holds(pc) && !b.always.empty():
			return b.always.from, b, false
		}
	}
	return 0, nil, false
}

// within reports whether o is s or a part of it.
func (s span) within(o span) bool { return s.from <= o.from && o.to <= s.to }
