package modules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"labctl/modules/host"
)

// validClasses checks the classes of htb and puts them in the order of their names.
func (q *Qdisc) validClasses() error {
	if len(q.Classes) == 0 {
		return nil
	}
	for i := range q.Classes {
		c, path := &q.Classes[i], fmt.Sprintf("class[%d].", i)
		if err := validHandle(path+"classid", &c.ID, false); err != nil {
			return err
		}
		if major, _, _ := strings.Cut(c.ID, ":"); q.Handle == "" {
			q.Handle = major + ":"
		}
		if !strings.HasPrefix(c.ID, q.Handle) {
			return argf(path+"classid", "class %s is not of %s", c.ID, q.Handle)
		}
		if slices.ContainsFunc(q.Classes[:i], func(o QdiscClass) bool { return o.ID == c.ID }) {
			return argf(path+"classid", "class %s is there twice", c.ID)
		}
		if c.Parent != "" {
			if err := validHandle(path+"parent", &c.Parent, false); err != nil {
				return err
			}
		}
		if c.Prio < 0 || c.Prio > 7 {
			return argf(path+"prio", "%d is not between 0 and 7", c.Prio)
		}
		if _, err := c.options(path); err != nil {
			return err
		}
	}
	if err := q.validTree(); err != nil {
		return err
	}
	host.Sort(q.Classes, func(a, b QdiscClass) int { return compareIDs(a.ID, b.ID) })
	return nil
}

// compareIDs orders classes of one qdisc by their numbers.
func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// validTree checks that every class hangs on one that is there, and on itself in no way.
func (q *Qdisc) validTree() error {
	for i, c := range q.Classes {
		path := fmt.Sprintf("class[%d].", i)
		for up, depth := c, 0; up.Parent != ""; depth++ {
			at := slices.IndexFunc(q.Classes, func(o QdiscClass) bool { return o.ID == up.Parent })
			if at < 0 {
				return argf(path+"parent", "there is no class %s", up.Parent)
			}
			if depth > 7 { // TC_HTB_MAXDEPTH
				return argf(path+"parent", "class %s hangs on itself, or is more than 8 deep", c.ID)
			}
			if up = q.Classes[at]; up.Prio != 0 {
				return argf(fmt.Sprintf("class[%d].prio", at), "class %s has others below it: only those have a prio", up.ID)
			}
		}
	}
	return nil
}

// options are the numbers of a class as the kernel gives them back. Both bursts have 1600 bytes where nothing is said, as tc
// takes for a kernel with high-resolution timers.
func (c *QdiscClass) options(path string) (map[string]int64, error) {
	rate, err := rates.parse(path+"rate", c.Rate)
	if err != nil {
		return nil, err
	}
	ceil, size := rate, int64(1600)
	if c.Ceil != "" {
		if ceil, err = rates.parse(path+"ceil", c.Ceil); err != nil {
			return nil, err
		}
	}
	if c.Burst != nil {
		if size, err = sizes.parse(path+"burst", *c.Burst); err != nil {
			return nil, err
		}
	}
	switch {
	case rate == 0 || rate > 1<<32-1:
		return nil, argf(path+"rate", "%s is nothing, or more than the kernel counts to", c.Rate)
	case ceil < rate || ceil > 1<<32-1:
		return nil, argf(path+"ceil", "%s is less than the rate, or more than the kernel counts to", c.Ceil)
	case ticks(size, rate) > 1<<32-1:
		return nil, argf(path+"burst", "it takes longer at this rate than the kernel counts to")
	}
	return map[string]int64{"rate": rate, "ceil": ceil, "buffer": ticks(size, rate), "cbuffer": ticks(size, ceil), "prio": int64(c.Prio)}, nil
}

// classesAs tells the classes of e in the words of q.
func (q *Qdisc) classesAs(e host.Qdisc) []QdiscClass {
	out := []QdiscClass{}
	for _, c := range e.Classes {
		have := QdiscClass{ID: c.ID, Prio: int(c.Options["prio"])}
		if c.Parent != e.Handle {
			have.Parent = c.Parent
		}
		have.Rate, have.Ceil = rates.text(c.Options["rate"]), rates.text(c.Options["ceil"])
		have.Burst = ptr(sizes.text(c.Options["buffer"] * 64 * c.Options["rate"] / 1e9))
		if at := slices.IndexFunc(q.Classes, func(o QdiscClass) bool { return o.ID == c.ID }); at >= 0 {
			have = q.Classes[at].as(c, have)
		}
		out = append(out, have)
	}
	return out
}

// as replaces what have says in other words than want, but to the same end.
func (want QdiscClass) as(c host.QdiscClass, have QdiscClass) QdiscClass {
	w, err := want.options("")
	if err != nil {
		return have
	}
	if w["rate"] == c.Options["rate"] {
		have.Rate = want.Rate
	}
	if w["ceil"] == c.Options["ceil"] {
		have.Ceil = want.Ceil
	}
	if w["buffer"] == c.Options["buffer"] && w["cbuffer"] == c.Options["cbuffer"] || w["rate"] != c.Options["rate"] && want.Burst == nil || w["ceil"] != c.Options["ceil"] && want.Burst == nil {
		have.Burst = want.Burst
	}
	return have
}

// applyClasses removes classes that are not wanted, or hang elsewhere, with all below them, and makes or changes the others.
func (q *Qdisc) applyClasses(ctx context.Context, n host.Net) error {
	now, err := n.Qdiscs().Get(ctx, host.Qdisc{Link: q.Dev, Parent: q.Parent})
	if err != nil {
		return err
	}
	wanted := make([]host.QdiscClass, len(q.Classes))
	for i, c := range q.Classes {
		wanted[i] = host.QdiscClass{ID: c.ID, Parent: c.Parent}
		if c.Parent == "" {
			wanted[i].Parent = now.Handle
		}
		wanted[i].Options, _ = c.options("") // checked by validate
	}
	gone := map[string]bool{}
	for range now.Classes { // as often as one class can be below another
		for _, c := range now.Classes {
			gone[c.ID] = gone[c.ID] || gone[c.Parent] || !slices.ContainsFunc(wanted, func(w host.QdiscClass) bool { return w.ID == c.ID && w.Parent == c.Parent })
		}
	}
	drop := slices.DeleteFunc(slices.Clone(now.Classes), func(c host.QdiscClass) bool { return !gone[c.ID] })
	slices.Reverse(topDown(drop))
	if len(drop) > 0 {
		if err := n.Qdiscs().DeleteClasses(ctx, now, drop...); err != nil {
			return err
		}
	}
	set := slices.DeleteFunc(wanted, func(w host.QdiscClass) bool {
		return slices.ContainsFunc(now.Classes, func(c host.QdiscClass) bool { return c.ID == w.ID && !gone[c.ID] && holds(c.Options, w.Options) })
	})
	if len(set) == 0 {
		return nil
	}
	return n.Qdiscs().SetClasses(ctx, now, topDown(set)...)
}

// topDown puts classes behind those that they hang on.
func topDown(cs []host.QdiscClass) []host.QdiscClass {
	depth := map[string]int{}
	for range cs {
		for _, c := range cs {
			depth[c.ID] = depth[c.Parent] + 1
		}
	}
	host.Sort(cs, func(a, b host.QdiscClass) int { return depth[a.ID] - depth[b.ID] })
	return cs
}

// holds reports whether have has all that want says.
func holds(have, want map[string]int64) bool {
	for name, v := range want {
		if have[name] != v {
			return false
		}
	}
	return true
}
