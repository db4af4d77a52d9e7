// Package pcapfilter turns filters in the words of pcap-filter(7) into classic BPF for packet sockets. It knows frames as bytes
// and nothing of sockets or hosts.
//
// As long as nothing is torn off a frame, what it looks like does not depend on the device. But Linux takes the outermost VLAN
// tag out of most frames and hands it over beside them, and devices without an Ethernet header have none to show. Offsets are
// therefore those of the whole frame, and a program is made for each way in which a socket can get it.
package pcapfilter

import "labctl/modules/host"

// layout is a way in which a socket sees a frame.
type layout int

const (
	whole  layout = iota // as it is on the wire
	tagged               // the outermost VLAN tag, bytes 12 to 15, is beside it
	plain                // the Ethernet header, bytes 0 to 13, is missing, and its type beside it
)

// Instructions of classic BPF (linux/bpf_common.h).
const (
	loadWord, loadHalf, loadByte = 0x20, 0x28, 0x30
	indirect                     = 0x20 // added to a load: relative to X
	loadIPLen                    = 0xb1 // X = 4 * (byte & 15)
	loadImmediate, loadLen       = 0x00, 0x80
	and                          = 0x54
	jump, jumpEqual, jumpGreater = 0x05, 0x15, 0x25
	jumpAtLeast                  = 0x35
	ret                          = 0x06
)

// What the kernel has beside a frame (SKF_AD_OFF of linux/filter.h).
const (
	adProtocol = 0xfffff000
	adTag      = adProtocol + 44
	adTagged   = adProtocol + 48
	adTPID     = adProtocol + 60
)

// node is a condition: a test, or one or two others under an operator.
type node struct {
	op   byte // '&', '|', '!', or 0: a test
	l, r *node

	off   uint32 // of what is compared
	size  uint16 // loadWord, loadHalf, loadByte, or loadLen
	ip    uint32 // not 0: where the IPv4 header begins, whose length is added to off
	mask  uint32 // 0: all
	jump  uint16 // jumpEqual, jumpGreater, jumpAtLeast
	value uint32
}

// program is made from its end: a place is the number of instructions behind it, so that all targets of jumps are known.
type program struct{ code []host.BPF }

const reject, accept = 0, 1 // places

// Ethernet returns the program for devices with Ethernet headers.
func (f *Filter) Ethernet() []host.BPF {
	p := newProgram()
	w, t := p.node(f.root, whole, accept, reject), p.node(f.root, tagged, accept, reject)
	p.branch(host.BPF{Op: jumpEqual, K: 1}, t, w)
	p.emit(host.BPF{Op: loadWord, K: adTagged})
	return p.forward()
}

// Plain returns the program for devices without, whose frames begin with the network header.
func (f *Filter) Plain() []host.BPF {
	p := newProgram()
	p.enter(p.node(f.root, plain, accept, reject))
	return p.forward()
}

func newProgram() *program {
	return &program{code: []host.BPF{{Op: ret}, {Op: ret, K: 1 << 18}}}
}

func (p *program) emit(i host.BPF) { p.code = append(p.code, i) }

// enter makes the program begin at a place.
func (p *program) enter(place int) {
	if place != len(p.code)-1 {
		p.emit(host.BPF{Op: jump, K: uint32(len(p.code) - 1 - place)})
	}
}

func (p *program) forward() []host.BPF {
	out := make([]host.BPF, len(p.code))
	for i, c := range p.code {
		out[len(out)-1-i] = c
	}
	return out
}

// node makes the code for n, which goes on at place t or f, and returns its own place.
func (p *program) node(n *node, l layout, t, f int) int {
	switch {
	case n == nil:
		return t
	case n.op == '&':
		return p.node(n.l, l, p.node(n.r, l, t, f), f)
	case n.op == '|':
		return p.node(n.l, l, t, p.node(n.r, l, t, f))
	case n.op == '!':
		return p.node(n.l, l, f, t)
	}
	p.test(n, l, t, f)
	return len(p.code) - 1
}

// branch makes a conditional jump. What is further than a byte can say is reached by way of an unconditional one.
func (p *program) branch(i host.BPF, t, f int) {
	near := func(place int) int {
		if len(p.code)+1-place > 255 { // another one may come between
			p.emit(host.BPF{Op: jump, K: uint32(len(p.code) - 1 - place)})
			return len(p.code) - 1
		}
		return place
	}
	t, f = near(t), near(f)
	i.Jt, i.Jf = uint8(len(p.code)-1-t), uint8(len(p.code)-1-f)
	p.emit(i)
}

// missing is how much shorter a frame is than it was on the wire.
var missing = [...]uint32{whole: 0, tagged: 4, plain: 14}

func (p *program) test(n *node, l layout, t, f int) {
	value, jump := n.value, n.jump
	if n.size == loadLen {
		if value < missing[l] {
			value, jump = missing[l], jumpAtLeast // always true, at least or greater
		}
		value -= missing[l]
	}
	p.branch(host.BPF{Op: jump, K: value}, t, f)
	if n.mask != 0 {
		p.emit(host.BPF{Op: and, K: n.mask})
	}
	p.emit(n.load(l))
	if n.ip != 0 {
		p.emit(host.BPF{Op: loadIPLen, K: n.ip - missing[l]})
	}
}

// load fetches what n compares from where it is in a layout.
func (n *node) load(l layout) host.BPF {
	i := host.BPF{Op: n.size, K: n.off}
	switch {
	case n.size == loadLen:
	case n.ip != 0:
		i.Op, i.K = n.size+indirect, n.off-missing[l]
	case l == tagged && n.off == 12:
		i.K = adTPID
	case l == tagged && n.off == 14:
		i.K = adTag
	case l == tagged && n.off > 14:
		i.K -= 4
	case l == plain && n.off == 12:
		i.K = adProtocol
	case l == plain && n.off < 12:
		i = host.BPF{Op: loadImmediate}
	case l == plain:
		i.K -= 14
	}
	return i
}
