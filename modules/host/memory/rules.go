package memory

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"

	"labctl/modules/host"
)

// Rules returns the routing policy database of the namespace.
func (n *Net) Rules() host.Rules { return rules{n} }

type rules struct{ *Net }

func (r rules) List(ctx context.Context, family int) ([]host.Rule, error) {
	unlock, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := []host.Rule{}
	for _, e := range r.rules {
		if family == 0 || e.Family == family {
			out = append(out, e)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		return a.Family < b.Family || a.Family == b.Family && a.Priority < b.Priority
	})
	return out, nil
}

func (r rules) Add(ctx context.Context, want host.Rule) error {
	unlock, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	want = plainRule(want)
	if slices.ContainsFunc(r.rules, func(e host.Rule) bool { return reflect.DeepEqual(e, want) }) {
		return &host.Error{Op: "add rule", Object: strconv.Itoa(want.Priority), Kind: host.ErrExist, Err: fmt.Errorf("file exists")}
	}
	r.rules = append(r.rules, want)
	r.h.wrote()
	return nil
}

// plainRule writes a rule as the kernel gives it back.
func plainRule(r host.Rule) host.Rule {
	if r.Action == "" {
		r.Action = "lookup"
	}
	if r.FwMask == 1<<32-1 {
		r.FwMask = 0
	}
	return r
}

func (r rules) Delete(ctx context.Context, want host.Rule) error {
	unlock, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	want = plainRule(want)
	at := slices.IndexFunc(r.rules, func(e host.Rule) bool { return reflect.DeepEqual(e, want) })
	if at < 0 {
		return &host.Error{Op: "delete rule", Object: strconv.Itoa(want.Priority), Kind: host.ErrNotExist, Err: fmt.Errorf("no such file or directory")}
	}
	r.rules = slices.Delete(r.rules, at, at+1)
	r.h.wrote()
	return nil
}
