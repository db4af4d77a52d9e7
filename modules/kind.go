package modules

import (
	"context"
	"reflect"
	"strings"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
	"labctl/modules/schema"
)

// virtual is embedded by every module that makes devices of one kind. Whatever else such a module has under the name of an
// attribute of its kind (package kinds) is read and written by that table; dev is the device below.
type virtual struct {
	InNetNS
	Name string `json:"name" lab:"key" doc:"Device name."`
	madeUp
	device
	portOf
}

func (v *virtual) common() *virtual { return v }

func (v *virtual) validate() error {
	v.madeUp.validate()
	return firstFault(validDevice("name", v.Name), v.device.validate(), v.portOf.validate())
}

// fallbacks are the devices that the drivers of tunnels make themselves (net.core.fb_tunnels_only_for_init_net).
var fallbacks = map[string]string{"gre": "gre0", "gretap": "gretap0", "ip6gre": "ip6gre0", "ipip": "tunl0", "sit": "sit0"}

// virtualDevice is a *T that embeds virtual.
type virtualDevice interface{ common() *virtual }

// registerDevice registers a module of devices of one kind.
func registerDevice[P virtualDevice](kind string, s SpecOf[P]) {
	typ := reflect.TypeFor[P]().Elem()
	block := schema.Later(typ)
	validate := s.Validate
	s.Validate = func(want P) error {
		if validate != nil {
			if err := validate(want); err != nil {
				return err
			}
		}
		if want.common().Name == fallbacks[kind] {
			return argf("name", "the kernel makes %s by itself, and keeps it as it is, for packets that no other %s takes: choose another name", fallbacks[kind], kind)
		}
		return firstFault(want.common().validate(), validAttrs(kinds.Of(kind), block(), fieldsOf(want)))
	}
	if s.Read == nil {
		s.Read = func(ctx context.Context, h host.Host, want P) (P, error) {
			have := reflect.New(typ).Interface().(P)
			there, err := readVirtual(ctx, h, kind, block(), want, have)
			if !there {
				have = *new(P)
			}
			return have, err
		}
	}
	if s.Apply == nil {
		s.Apply = func(ctx context.Context, h host.Host, have, want P, d Diff) error {
			if reflect.ValueOf(want).IsNil() {
				return have.common().deleteDevice(ctx, h, have.common().Name)
			}
			return applyVirtual(ctx, h, kind, block(), want, d)
		}
	}
	Register(s)
}

// readVirtual fills have with the device that want names; false: there is none.
func readVirtual(ctx context.Context, h host.Host, kind string, block *schema.Block, want, have virtualDevice) (bool, error) {
	w := want.common()
	l, err := w.findDevice(ctx, h, w.Name, kind)
	if err != nil || l == nil {
		return false, err
	}
	*have.common() = virtual{w.InNetNS, w.Name, madeUp{l.Up}, readDevice(*l), portOf{l.Master}}
	fields := fieldsOf(have)
	if a := block.Find("dev"); a != nil && l.Parent != nil {
		setField(a.Value(fields), l.Parent.Name)
	}
	readAttrs(kinds.Of(kind), l.Data, block, fields)
	n, err := w.net(ctx, h)
	if err != nil {
		return false, err
	}
	return true, readPorts(ctx, n, w.Name, want, have)
}

// readAttrs fills a module's struct with the attributes of a kind.
func readAttrs(k *kinds.Kind, data host.Attrs, block *schema.Block, fields reflect.Value) {
	for i := range k.Attrs {
		if a := block.Find(k.Attrs[i].Name); a != nil {
			setField(a.Value(fields), k.Get(data, a.Name))
		}
	}
}

// setField puts a value of package kinds into a field of a module's struct.
func setField(f reflect.Value, v any) {
	if v == nil {
		return
	}
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	switch f.Kind() {
	case reflect.Int:
		f.SetInt(int64(v.(float64)))
	case reflect.Slice:
		f.Set(reflect.ValueOf(append([]string{}, strings.Fields(v.(string))...)))
	default:
		f.Set(reflect.ValueOf(v))
	}
}

// attrsOf returns the attributes of a kind that a module's struct sets and that differ; d == nil: all that it sets.
func attrsOf(k *kinds.Kind, block *schema.Block, fields reflect.Value, d *Diff) host.Attrs {
	var out host.Attrs
	for i := range k.Attrs {
		a := block.Find(k.Attrs[i].Name)
		if a == nil || unset(a.Value(fields)) || d != nil && !d.Has(a.Name) {
			continue
		}
		if out == nil {
			out = host.Attrs{}
		}
		f := reflect.Indirect(a.Value(fields))
		switch f.Kind() {
		case reflect.Int:
			out[a.Name] = float64(f.Int())
		case reflect.Slice:
			out[a.Name] = strings.Join(f.Interface().([]string), " ")
		default:
			out[a.Name] = f.Interface()
		}
	}
	return out
}

// applyVirtual makes the device, or sets what differs.
func applyVirtual(ctx context.Context, h host.Host, kind string, block *schema.Block, want virtualDevice, d Diff) error {
	w := want.common()
	n, err := w.net(ctx, h)
	if err != nil {
		return err
	}
	only := &d
	if d.Action == Create {
		only = nil
	}
	l := virtualLink(kind, block, want, only)
	m, _ := want.(master)
	switch {
	case only == nil && m != nil:
		return createMaster(ctx, h, n, w.NetNS, l, *m.portList())
	case only == nil:
		return n.Links().Create(ctx, l)
	case m != nil && d.Has("ports"):
		if err := setPorts(ctx, h, n, w.NetNS, l, *m.portList()); err != nil {
			return err
		}
	}
	if err := keepReachable(ctx, h, n, w.NetNS, l); err != nil {
		return err
	}
	return setDevice(ctx, n, l)
}

// virtualLink is what of want differs; d == nil: all that it sets.
func virtualLink(kind string, block *schema.Block, want virtualDevice, d *Diff) host.Link {
	w, fields := want.common(), fieldsOf(want)
	l := host.Link{Name: w.Name, Kind: kind}
	w.device.into(&l, d)
	w.madeUp.into(&l, d)
	w.portOf.into(&l, d)
	l.Data = attrsOf(kinds.Of(kind), block, fields, d)
	if a := block.Find("dev"); a != nil && d == nil {
		if dev, _ := scalarText(a.Value(fields)); dev != "" {
			l.Parent = &host.LinkRef{Name: dev}
		}
	}
	return l
}

// scalarText returns the text of a field that is a string or points to one.
func scalarText(f reflect.Value) (string, bool) {
	f = reflect.Indirect(f)
	if !f.IsValid() {
		return "", false
	}
	return f.String(), true
}
