package host

import (
	"context"
	"maps"
)

// Qdisc is a queueing discipline that somebody attached to a device, as tc(8). Those that the kernel puts on devices by
// itself are none.
//
// Options hold what the kernel gives back, by the words of tc: times of netem (delay, jitter) in nanoseconds, those of
// fq_codel in microseconds; probabilities as shares of 1<<32-1; rates in bytes a second; sizes in bytes, but the bursts of tbf
// and htb (buffer, cbuffer) as the time they take, in ticks of 64 ns.
type Qdisc struct {
	Link    string           `json:"dev"`
	Parent  string           `json:"parent"`           // root, ingress (of ingress and clsact) or the class it serves: "1:10"
	Handle  string           `json:"handle,omitempty"` // "1:"; in writes "": the kernel chooses
	Kind    string           `json:"kind"`
	Options map[string]int64 `json:"options,omitempty"`
	Classes []QdiscClass     `json:"classes,omitempty"` // of htb, by their numbers
}

// QdiscClass is a class of htb.
type QdiscClass struct {
	ID      string           `json:"classid"` // "1:10"
	Parent  string           `json:"parent"`  // another class, or the handle of the qdisc: "1:"
	Options map[string]int64 `json:"options"` // rate, ceil, buffer, cbuffer, prio, quantum
}

// Qdiscs reads and changes the queueing disciplines of one namespace.
type Qdiscs interface {
	List(ctx context.Context, link string) ([]Qdisc, error) // link "": all
	// Get returns what is attached at q.Link and q.Parent: ErrNotExist.
	Get(ctx context.Context, q Qdisc) (Qdisc, error)
	// Set attaches q where nothing is, or changes the options that q has of one of the same kind. Classes are not looked at.
	Set(ctx context.Context, q Qdisc) error
	// Delete takes away what is attached at q.Link and q.Parent, with all below it: ErrNotExist.
	Delete(ctx context.Context, q Qdisc) error
	// SetClasses makes or changes classes of q, parents before their children.
	SetClasses(ctx context.Context, q Qdisc, cs ...QdiscClass) error
	// DeleteClasses removes classes of q: ErrBusy while one has others below it.
	DeleteClasses(ctx context.Context, q Qdisc, cs ...QdiscClass) error
}

// qdiscDefaults is what tc(8) or the kernel take for what is not given.
var qdiscDefaults = map[string]map[string]int64{
	"netem":    {"delay": 0, "jitter": 0, "loss": 0, "duplicate": 0, "corrupt": 0, "reorder": 0, "gap": 0, "rate": 0, "limit": 1000},
	"fq_codel": {"limit": 10240, "flows": 1024, "target": Codel(5000), "interval": Codel(100000), "ecn": 1},
	"htb":      {"default": 0, "r2q": 10},
	"class":    {"prio": 0, "quantum": 0},
}

// Complete returns options with the defaults of a new qdisc of that kind, or of a "class", where they say nothing.
func (Qdisc) Complete(kind string, options map[string]int64) map[string]int64 {
	out := maps.Clone(qdiscDefaults[kind])
	if out == nil {
		out = map[string]int64{}
	}
	maps.Copy(out, options)
	return out
}

// Codel is what the kernel gives back of a time in microseconds that it was given for CoDel: it counts in units of 1024 ns,
// and rounds down both ways (CODEL_SHIFT, include/net/codel.h).
func Codel(us int64) int64 { return us * 1000 >> 10 << 10 / 1000 }
