package modules

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"strings"

	"labctl/modules/host"
	"labctl/modules/schema"
)

// Presence is embedded by probes that look for an object in the state of a host.
type Presence struct {
	InNetNS
	Expect string `json:"expect,omitempty" lab:"option" enum:"present,absent" default:"present" doc:"present: there is one that has all that the other arguments say. absent: there is none."`
	Deadline
}

func (p *Presence) validate() error {
	_, err := duration("deadline", p.Deadline.Deadline, 0)
	return err
}

// find calls list until one of the objects that it returns has all that want sets (or none has, where absence is expected),
// and returns the one that comes nearest, want when there is none. With no objects list may say why; its error ends the search.
func (p *Presence) find(ctx context.Context, what string, want any, list func() (objects []any, why string, err error)) (any, error) {
	b := schema.Of(reflect.TypeOf(want).Elem())
	if p.NetNS != "" {
		what += " in netns " + p.NetNS
	}
	near, broken := want, false
	err := p.until(ctx, func() error {
		objects, why, err := list()
		if broken = err != nil; broken {
			return err
		}
		found, d := nearest(b, want, objects)
		if near = found; near == nil {
			near = want
		}
		switch {
		case p.Expect == "absent" && (found == nil || d.Action != None):
			return nil
		case p.Expect == "absent":
			return fmt.Errorf("%s: expected none, but there is one%s", what, described(b, found))
		case found == nil:
			return fmt.Errorf("%s: %s", what, cmp.Or(why, "there is none"))
		case d.Action != None:
			return fmt.Errorf("%s: %s", what, d.brief())
		}
		return nil
	}, func(error) bool { return broken })
	return near, err
}

// nearest returns the object that differs least from want, and how.
func nearest(b *schema.Block, want any, objects []any) (near any, least Diff) {
	for _, o := range objects {
		if d := compare(b, o, want); near == nil || len(d.Changes) < len(least.Changes) {
			near, least = o, d
		}
	}
	return near, least
}

// described lists what an object has.
func described(b *schema.Block, o any) string {
	out := ""
	for _, c := range whole(b, fieldsOf(o), true) {
		out += " " + c.Path + " " + strings.Trim(compact(c.After), `"`)
	}
	if out != "" {
		return ":" + out
	}
	return out
}

// validIP puts an address into its usual spelling.
func validIP(path string, text *string) error {
	if text == nil || *text == "" {
		return nil
	}
	a, err := validAddr(path, *text)
	if err == nil {
		*text = a.String()
	}
	return err
}

// validLLAddr puts a link layer address into its usual spelling.
func validLLAddr(path string, text *string) error {
	if text == nil || *text == "" {
		return nil
	}
	mac, ok := host.ParseMAC(*text)
	if !ok {
		return argf(path, "%q is not a MAC address such as \"02:00:00:00:00:01\"", *text)
	}
	*text = host.MAC(mac)
	return nil
}
