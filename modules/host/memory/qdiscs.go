package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"labctl/modules/host"
)

// Qdiscs returns the queueing disciplines of the namespace.
func (n *Net) Qdiscs() host.Qdiscs { return qdiscs{n} }

type qdiscs struct{ *Net }

func (n qdiscs) List(ctx context.Context, link string) ([]host.Qdisc, error) {
	unlock, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := []host.Qdisc{}
	for _, q := range n.qdiscs {
		if link == "" || q.Link == link {
			out = append(out, q)
		}
	}
	return out, nil
}

func (n qdiscs) Get(ctx context.Context, want host.Qdisc) (host.Qdisc, error) {
	err := n.change(ctx, "get qdisc", want, func(have *host.Qdisc) (error, string) {
		if have == nil {
			return errNoFile, ""
		}
		want = *have
		return nil, ""
	})
	if err == nil {
		n.h.writes.Add(-1) // it was only looked at
	}
	return want, err
}

// change runs do on what is attached where q is, nil for nothing.
func (n qdiscs) change(ctx context.Context, op string, q host.Qdisc, do func(have *host.Qdisc) (cause error, ack string)) error {
	unlock, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	cause, ack := error(errNoDevice), ""
	if n.findLocked(q.Link) != nil {
		var have *host.Qdisc
		if at := slices.IndexFunc(n.qdiscs, func(o host.Qdisc) bool { return o.Link == q.Link && o.Parent == q.Parent }); at >= 0 {
			have = &n.qdiscs[at]
		}
		cause, ack = do(have)
	}
	if cause != nil {
		return refused(op, "dev "+q.Link+" "+q.Parent, cause, ack)
	}
	n.h.wrote()
	return nil
}

func (n qdiscs) Set(ctx context.Context, q host.Qdisc) error {
	return n.change(ctx, "set qdisc", q, func(have *host.Qdisc) (error, string) {
		switch {
		case have != nil && have.Kind == q.Kind:
			have.Options = maps.Clone(have.Options)
			maps.Copy(have.Options, q.Options)
			return nil, ""
		case have != nil:
			return errInvalid, "Invalid qdisc name: must match existing qdisc"
		case q.Parent != "root" && q.Parent != "ingress" && !n.hasClassLocked(q):
			return errNoFile, "Failed to find specified qdisc"
		}
		if cause, ack := n.h.unknown(ctx, "qdisc", q.Kind); cause != nil {
			return cause, ack
		}
		if q.Parent == "ingress" {
			q.Handle = "ffff:"
		} else if q.Handle == "" {
			n.handles++
			q.Handle = fmt.Sprintf("%x:", 0x8000+n.handles)
		}
		q.Options = q.Complete(q.Kind, q.Options)
		n.qdiscs = append(n.qdiscs, q)
		return nil, ""
	})
}

// hasClassLocked reports whether the class that q is to serve exists: one of htb, or the only one of netem and tbf.
func (n *Net) hasClassLocked(q host.Qdisc) bool {
	for _, o := range n.qdiscs {
		if o.Link != q.Link || !strings.HasPrefix(q.Parent, o.Handle) {
			continue
		}
		if o.Kind == "htb" {
			return slices.ContainsFunc(o.Classes, func(c host.QdiscClass) bool { return c.ID == q.Parent })
		}
		return q.Parent == o.Handle+"1"
	}
	return false
}

func (n qdiscs) Delete(ctx context.Context, q host.Qdisc) error {
	return n.change(ctx, "delete qdisc", q, func(have *host.Qdisc) (error, string) {
		if have == nil {
			return errNoFile, "Cannot find specified qdisc on specified device"
		}
		n.dropQdiscLocked(*have)
		return nil, ""
	})
}

// dropQdiscLocked takes a qdisc away with those that serve its classes.
func (n *Net) dropQdiscLocked(q host.Qdisc) {
	n.qdiscs = slices.DeleteFunc(n.qdiscs, func(o host.Qdisc) bool { return o.Link == q.Link && o.Parent == q.Parent })
	for _, o := range slices.Clone(n.qdiscs) {
		if o.Link == q.Link && strings.HasPrefix(o.Parent, q.Handle) && q.Handle != "" {
			n.dropQdiscLocked(o)
		}
	}
}

func (n qdiscs) SetClasses(ctx context.Context, q host.Qdisc, cs ...host.QdiscClass) error {
	return n.change(ctx, "set class", q, func(have *host.Qdisc) (error, string) {
		if have == nil {
			return errNoFile, ""
		}
		have.Classes = slices.Clone(have.Classes)
		for _, c := range cs {
			at := slices.IndexFunc(have.Classes, func(o host.QdiscClass) bool { return o.ID == c.ID })
			if at < 0 {
				at = len(have.Classes)
				have.Classes = append(have.Classes, host.QdiscClass{ID: c.ID, Parent: c.Parent})
			}
			have.Classes[at].Options = q.Complete("class", c.Options)
		}
		host.Sort(have.Classes, func(a, b host.QdiscClass) int { // by their numbers
			if len(a.ID) != len(b.ID) {
				return len(a.ID) - len(b.ID)
			}
			return strings.Compare(a.ID, b.ID)
		})
		return nil, ""
	})
}

func (n qdiscs) DeleteClasses(ctx context.Context, q host.Qdisc, cs ...host.QdiscClass) error {
	return n.change(ctx, "delete class", q, func(have *host.Qdisc) (error, string) {
		for _, c := range cs {
			if have == nil || !slices.ContainsFunc(have.Classes, func(o host.QdiscClass) bool { return o.ID == c.ID }) {
				return errNoFile, ""
			}
			if slices.ContainsFunc(have.Classes, func(o host.QdiscClass) bool { return o.Parent == c.ID }) {
				return errBusy, "HTB class in use"
			}
			have.Classes = slices.DeleteFunc(slices.Clone(have.Classes), func(o host.QdiscClass) bool { return o.ID == c.ID })
		}
		for _, c := range cs { // after that have is no longer valid
			n.dropQdiscLocked(host.Qdisc{Link: q.Link, Parent: c.ID, Handle: n.handleAtLocked(q.Link, c.ID)})
		}
		return nil, ""
	})
}

func (n *Net) handleAtLocked(link, parent string) string {
	for _, o := range n.qdiscs {
		if o.Link == link && o.Parent == parent {
			return o.Handle
		}
	}
	return ""
}
