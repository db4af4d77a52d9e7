package linux

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"
	"labctl/modules/host/kinds"

	"golang.org/x/sys/unix"
)

// userHZ is the unit of the bridge's times: clock ticks per second as user space sees them, 100 on every port of Linux.
const userHZ = 100

// decodeAttrs returns what is not the default in the attributes of a device of kind k.
func (d *decoder) decodeAttrs(k *kinds.Kind, data []byte) host.Attrs {
	if k == nil || data == nil {
		return nil
	}
	var raw [64][]byte
	for typ, v := range rtnl.Attrs(data) {
		if int(typ) < len(raw) {
			raw[typ] = v
		}
	}
	out := host.Attrs{}
	for i := range k.Attrs {
		a := &k.Attrs[i]
		b := raw[a.Num]
		if b == nil && a.Wire.Layout() <= kinds.Multicast {
			b = raw[a.Also] // 0: none
		}
		if b == nil && a.Mask {
			b = make([]byte, 4) // vlan_fill_info (net/8021q/vlan_netlink.c) leaves flags out when there are none
		}
		if b == nil || a.Six && raw[k.Find("remote").Also] == nil || a.Bit != 0 && a.Also != 0 && uint32(rtnl.U16BE(raw[a.Also]))&a.Bit == 0 {
			continue
		}
		if v := d.decodeAttr(a, b); v != nil && v != a.Default {
			out[a.Name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (d *decoder) decodeAttr(a *kinds.Attr, b []byte) any {
	switch a.Wire.Layout() {
	case kinds.None:
		return true
	case kinds.Present:
		return rtnl.U8(b) != 0
	case kinds.Addr, kinds.Unicast, kinds.Multicast:
		ip, ok := netip.AddrFromSlice(b)
		if !ok || ip.IsUnspecified() || a.Wire != kinds.Addr && ip.IsMulticast() != (a.Wire == kinds.Multicast) {
			return nil
		}
		return ip.String()
	case kinds.Addrs:
		var list []string
		for _, v := range rtnl.Attrs(b) {
			if ip, ok := netip.AddrFromSlice(v); ok {
				list = append(list, ip.String())
			}
		}
		return strings.Join(list, " ")
	case kinds.MAC:
		return host.MAC(b)
	case kinds.QoS:
		return decodeQoS(b)
	}
	return d.meaning(a, readNumber(a.Wire, b[min(len(b), a.At):]))
}

// meaning turns a number into the value that it stands for.
func (d *decoder) meaning(a *kinds.Attr, n uint64) any {
	switch {
	case a.Wire&kinds.Bool != 0 && a.Also == 0 && a.Bit != 0:
		return n&uint64(a.Bit) != 0
	case a.Wire&kinds.Bool != 0:
		return n != 0
	case a.Wire&kinds.Seconds != 0:
		return float64(n) / userHZ
	case a.Wire&kinds.Device != 0:
		return d.name(uint32(n))
	case a.Wire&kinds.Word == 0:
		return float64(n)
	}
	for _, v := range a.Words {
		if v.Number == n {
			return v.Word
		}
	}
	return strconv.FormatUint(n, 10)
}

func readNumber(w kinds.Wire, b []byte) uint64 {
	switch w.Layout() {
	case kinds.U8:
		return uint64(rtnl.U8(b))
	case kinds.U16:
		return uint64(rtnl.U16(b))
	case kinds.BE16:
		return uint64(rtnl.U16BE(b))
	case kinds.U32:
		return uint64(rtnl.U32(b))
	case kinds.BE32:
		return uint64(rtnl.U16BE(b))<<16 | uint64(rtnl.U16BE(b[min(2, len(b)):]))
	}
	return rtnl.U64(b)
}

// decodeQoS lists the mappings of priorities, without those to 0, which is what all others are mapped to.
func decodeQoS(b []byte) string {
	var list []string
	for _, v := range rtnl.Attrs(b) {
		if from, to := rtnl.U32(v), rtnl.U32(v[min(4, len(v)):]); to != 0 {
			list = append(list, fmt.Sprintf("%d:%d", from, to))
		}
	}
	host.Sort(list, func(a, b string) int { return mapped(a) - mapped(b) })
	return strings.Join(list, " ")
}

// mapped is the priority that a mapping is for.
func mapped(pair string) int {
	from, _, _ := strings.Cut(pair, ":")
	n, _ := strconv.Atoi(from)
	return n
}

// attrWriter gathers attributes: several values may share one.
type attrWriter struct {
	n   *Net
	all []payload
}

type payload struct {
	num uint16
	b   []byte
}

// encodeAttrs appends what want sets of kind k. have is what the device has: some attributes are changed as a whole.
func (n *Net) encodeAttrs(m *rtnl.Message, k *kinds.Kind, want, have host.Attrs) error {
	w := attrWriter{n: n}
	for i := range k.Attrs {
		a := &k.Attrs[i]
		v := want[a.Name]
		if v == nil && bitBeside(k, a, want) {
			v = k.Get(have, a.Name)
		}
		if v == nil || want[a.By] != nil {
			continue
		}
		if err := w.add(a, v, have[a.Name]); err != nil {
			return fmt.Errorf("%s %v: %w", a.Name, v, err)
		}
	}
	for name := range want {
		if k.Find(name) == nil {
			return fmt.Errorf("%s: %w: not an attribute of %s", name, unix.EINVAL, k.Name)
		}
	}
	for _, p := range w.all {
		m.Attr(p.num, p.b)
	}
	return nil
}

// bitBeside reports whether a is a bit of a number that want sets other bits of, without a mask to leave it alone.
func bitBeside(k *kinds.Kind, a *kinds.Attr, want host.Attrs) bool {
	if a.Bit == 0 || a.Also != 0 || a.Mask {
		return false
	}
	for i := range k.Attrs {
		if o := &k.Attrs[i]; o.Num == a.Num && want[o.Name] != nil {
			return true
		}
	}
	return false
}

// room returns the bytes of attribute num, size long.
func (w *attrWriter) room(num uint16, size int) []byte {
	at := slices.IndexFunc(w.all, func(p payload) bool { return p.num == num })
	if at < 0 {
		at = len(w.all)
		w.all = append(w.all, payload{num: num})
	}
	p := &w.all[at]
	for len(p.b) < size {
		p.b = append(p.b, 0)
	}
	return p.b
}

func (w *attrWriter) add(a *kinds.Attr, v, have any) error {
	text, _ := v.(string)
	switch a.Wire.Layout() {
	case kinds.None, kinds.Present:
		if v == true {
			w.room(a.Num, 0)
		}
		return nil
	case kinds.Addr, kinds.Unicast, kinds.Multicast:
		return w.addr(a, text)
	case kinds.Addrs:
		return w.addrs(a, text)
	case kinds.MAC:
		mac, ok := host.ParseMAC(text)
		if !ok {
			return unix.EINVAL
		}
		copy(w.room(a.Num, 6), mac)
		return nil
	case kinds.QoS:
		before, _ := have.(string)
		return w.qos(a, text, before)
	}
	if a.Bit != 0 && a.Also != 0 && v == a.Default {
		w.room(a.Also, 2)
		return nil
	}
	n, err := w.number(a, v)
	if err == nil {
		w.put(a, n)
	}
	return err
}

func (w *attrWriter) put(a *kinds.Attr, n uint64) {
	size := sizeOf(a.Wire)
	total := a.At + size
	if a.Mask {
		total += size
	}
	b := w.room(a.Num, total)
	switch {
	case a.Bit != 0 && a.Also == 0:
		if n != 0 {
			putNumber(a.Wire, b, readNumber(a.Wire, b)|uint64(a.Bit))
		}
		if a.Mask {
			putNumber(a.Wire, b[size:], readNumber(a.Wire, b[size:])|uint64(a.Bit))
		}
		return
	case a.Bit != 0:
		flags := w.room(a.Also, 2)
		binary.BigEndian.PutUint16(flags, binary.BigEndian.Uint16(flags)|uint16(a.Bit))
	}
	putNumber(a.Wire, b[a.At:], n)
}

func sizeOf(w kinds.Wire) int {
	switch w.Layout() {
	case kinds.U8:
		return 1
	case kinds.U16, kinds.BE16:
		return 2
	case kinds.U64:
		return 8
	}
	return 4
}

func putNumber(w kinds.Wire, b []byte, n uint64) {
	switch w.Layout() {
	case kinds.U8:
		b[0] = uint8(n)
	case kinds.U16:
		binary.NativeEndian.PutUint16(b, uint16(n))
	case kinds.BE16:
		binary.BigEndian.PutUint16(b, uint16(n))
	case kinds.U32:
		binary.NativeEndian.PutUint32(b, uint32(n))
	case kinds.BE32:
		binary.BigEndian.PutUint32(b, uint32(n))
	default:
		binary.NativeEndian.PutUint64(b, n)
	}
}

// number returns the number that stands for a value.
func (w *attrWriter) number(a *kinds.Attr, v any) (uint64, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case float64:
		if a.Wire&kinds.Seconds != 0 {
			v = math.Round(v * userHZ)
		}
		return uint64(v), nil
	case string:
		if a.Wire&kinds.Device != 0 && v != "" {
			index, err := w.n.index(v)
			return uint64(index), err
		}
		for _, o := range a.Words {
			if o.Word == v {
				return o.Number, nil
			}
		}
		if v == "" {
			return 0, nil
		}
	}
	return 0, unix.EINVAL
}

func (w *attrWriter) addr(a *kinds.Attr, text string) error {
	if text == "" && a.Default == "" {
		return nil // none is what there is where nothing is said
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return unix.EINVAL
	}
	num := a.Num
	if a.Also != 0 && ip.Is6() {
		num = a.Also
	}
	b := ip.AsSlice()
	copy(w.room(num, len(b)), b)
	return nil
}

func (w *attrWriter) addrs(a *kinds.Attr, text string) error {
	m := rtnl.New(0, 0, nil)
	for i, s := range strings.Fields(text) {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return unix.EINVAL
		}
		m.Attr(uint16(i), ip.AsSlice())
	}
	w.all = append(w.all, payload{a.Num, m.Bytes()})
	return nil
}

// qos sets the mappings in text, and back to 0 those in before that are not there any more.
func (w *attrWriter) qos(a *kinds.Attr, text, before string) error {
	m := rtnl.New(0, 0, nil)
	add := func(from, to string) error {
		f, err := strconv.ParseUint(from, 10, 32)
		if err != nil {
			return unix.EINVAL
		}
		t, err := strconv.ParseUint(to, 10, 32)
		if err != nil {
			return unix.EINVAL
		}
		m.Attr(unix.IFLA_VLAN_QOS_MAPPING, binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, uint32(f)), uint32(t)))
		return nil
	}
	for _, pair := range strings.Fields(before) {
		from, _, _ := strings.Cut(pair, ":")
		if !strings.Contains(" "+text, " "+from+":") {
			if err := add(from, "0"); err != nil {
				return err
			}
		}
	}
	for _, pair := range strings.Fields(text) {
		from, to, _ := strings.Cut(pair, ":")
		if err := add(from, to); err != nil {
			return err
		}
	}
	w.all = append(w.all, payload{a.Num, m.Bytes()})
	return nil
}
