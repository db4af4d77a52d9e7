package modules

import (
	"math"
	"net/netip"
	"reflect"
	"strconv"

	"labctl/modules/host"
	"labctl/modules/host/kinds"
	"labctl/modules/schema"
)

// validAttrs checks what a module's struct sets of the attributes of a kind, and brings it into the spelling of the kernel.
func validAttrs(k *kinds.Kind, block *schema.Block, fields reflect.Value) error {
	if a := block.Find("dev"); a != nil {
		if dev, ok := scalarText(a.Value(fields)); ok && dev != "" {
			if err := validDevice("dev", dev); err != nil {
				return err
			}
		}
	}
	var outer netip.Addr // all addresses of a tunnel are of one family
	for i := range k.Attrs {
		a := block.Find(k.Attrs[i].Name)
		if a == nil || unset(a.Value(fields)) {
			continue
		}
		if err := validAttr(k, &k.Attrs[i], reflect.Indirect(a.Value(fields)), &outer); err != nil {
			return err
		}
	}
	return nil
}

func validAttr(k *kinds.Kind, a *kinds.Attr, f reflect.Value, outer *netip.Addr) error {
	switch l := a.Wire.Layout(); {
	case l == kinds.MAC:
		mac, ok := host.ParseMAC(f.String())
		if !ok {
			return argf(a.Name, "%q is not a MAC address such as \"02:00:00:00:00:01\"", f.String())
		}
		f.SetString(host.MAC(mac))
	case l >= kinds.Addr && l <= kinds.Multicast:
		return validOuter(k, a, f, outer)
	case f.Kind() == reflect.Int:
		return validNumber(a, float64(f.Int()))
	case f.Kind() == reflect.Float64:
		f.SetFloat(math.Round(f.Float()*100) / 100) // the kernel keeps hundredths
		return validNumber(a, f.Float())
	}
	return nil
}

func validNumber(a *kinds.Attr, v float64) error {
	if low, high := a.Limits(); v < low || v > high {
		return argf(a.Name, "%s is not between %s and %s", plainNumber(v), plainNumber(low), plainNumber(high))
	}
	return nil
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// validOuter checks an address of a tunnel's packets. outer is one seen before.
func validOuter(k *kinds.Kind, a *kinds.Attr, f reflect.Value, outer *netip.Addr) error {
	if f.String() == "" && a.Default == "" {
		return nil // none
	}
	addr, err := validAddr(a.Name, f.String())
	switch {
	case err != nil:
		return err
	case addr.IsUnspecified():
		return argf(a.Name, "%q stands for no address", addr)
	case a.Wire == kinds.Unicast && addr.IsMulticast():
		return argf(a.Name, "%q is a multicast address: that is for group", addr)
	case a.Wire == kinds.Multicast && !addr.IsMulticast():
		return argf(a.Name, "%q is not a multicast address", addr)
	case k.Family == 4 && !addr.Is4(), k.Family == 6 && !addr.Is6():
		return argf(a.Name, "%q is not of the family of the outer packets, which is IPv%d", addr, k.Family)
	case outer.IsValid() && outer.Is4() != addr.Is4():
		return argf(a.Name, "%q and %q are of different families", addr, *outer)
	}
	*outer = addr
	f.SetString(addr.String())
	return nil
}
