package modules

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"labctl/modules/codec"
	"labctl/modules/host"
	"labctl/modules/packet"
	"labctl/modules/pcapfilter"
)

func init() {
	Register(Spec[Capture]{
		Name: "capture",
		Doc:  "Captures frames on a device and checks what they are. Traffic is made by trigger blocks, or by other tasks and hosts between a capture that starts and one of the same label that stops.",
		Example: `capture "tagged on the wire" {
  dev    = "enp0s8"
  filter = "icmp or vlan"
  trigger { ping = "192.168.60.4" }
  packet {
    vlan  = 100
    proto = "icmp"
    dst   = "192.168.60.4"
  }
  packet {
    vlan  = 0
    count = "0"
  }
}
capture "overlay" {
  dev    = "enp0s8"
  filter = "udp port 4789"
  start  = true
}
capture "overlay" {
  stop = true
  pcap = "captures/"
  packet {
    dst_mac = "01:00:5e:7f:00:01"
    tunnel  = "vxlan"
    vni     = 100
    inner { arp = "request" }
  }
}
`,
		Validate: (*Capture).validate, Complete: (*Capture).complete, Probe: probeCapture,
	})
}

// Capture is a look at the frames that pass a device.
type Capture struct {
	Name    string         `json:"name" lab:"key" doc:"What the capture is called. One that stops has the name of one that has started, in the same session."`
	Dev     string         `json:"dev,omitempty" doc:"Device to look at; not needed to stop."`
	Filter  string         `json:"filter,omitempty" doc:"What to look at, in the words of pcap-filter(7): primitives with host, net, port, portrange, proto, src, dst, ether, ip, ip6, arp, rarp, icmp, icmp6, igmp, tcp, udp, sctp, vlan, less, greater, broadcast and multicast, under and, or, not and parentheses. Everything if unset."`
	Wait    string         `json:"wait,omitempty" lab:"option" default:"1s" doc:"How long to look on after the triggers; the kernel keeps up to 32 MiB of frames meanwhile. What is still missing then is waited for in the next try, with the triggers made again, until the deadline."`
	Packet  []PacketExpect `json:"packet,omitempty" lab:"option" doc:"Frames that are expected; all of them have to be seen as often as they say."`
	Promisc bool           `json:"promisc,omitempty" lab:"option" doc:"Have the device take frames that are not for it meanwhile. A bridge has its ports take them anyway."`
	PCAP    string         `json:"pcap,omitempty" lab:"option,home" doc:"File on the controller, relative to the playbook, that the frames themselves are brought to, up to 16 MiB of them; also those of a check that fails. One that ends with / is a directory, in which the file gets the names of the host and of the capture: captures/ makes it captures/HOST/NAME.pcap."`
	Watch
	Frames  int      `json:"frames" lab:"computed" doc:"Frames that passed the filter in the last try."`
	Dropped int      `json:"dropped" lab:"computed" doc:"Frames that were lost as there was no room for them."`
	Seen    []string `json:"seen,omitempty" lab:"computed" doc:"The first 20 of them in words."`
}

// PacketExpect describes frames.
type PacketExpect struct {
	packet.Headers
	Inner *packet.Headers `json:"inner,omitempty" doc:"What is in the tunnel."`
	Count string          `json:"count,omitempty" default:">=1" doc:"How many of them there are to be: 3, >=1, <5 or 2-5; 0 for none."`
}

func (c *Capture) validate() error {
	if c.Start && !c.Stop && c.Packet != nil {
		return argf("packet", "what is expected belongs to the task that stops the capture")
	}
	if c.Start && !c.Stop && c.PCAP != "" {
		return argf("pcap", "the file belongs to the task that stops the capture")
	}
	if _, err := pcapfilter.Parse(c.Filter); err != nil {
		return argf("filter", "%v", err)
	}
	for i := range c.Packet {
		if err := c.Packet[i].validate(fmt.Sprintf("packet[%d].", i)); err != nil {
			return err
		}
	}
	_, err := duration("wait", c.Wait, 0)
	return firstFault(err, c.Watch.validate())
}

func (c *Capture) complete() error {
	switch {
	case !c.Stop:
		return validDevice("dev", c.Dev)
	case c.Dev != "" || c.Filter != "":
		return argf("stop", "dev and filter belong to the task that starts the capture")
	}
	return nil
}

func (e *PacketExpect) validate(path string) error {
	_, err := parseAmount(path+"count", e.Count, ">=1")
	if err == nil {
		err = validHeaders(path, &e.Headers)
	}
	if err == nil && e.Inner != nil {
		err = validHeaders(path+"inner.", e.Inner)
	}
	return err
}

func validHeaders(path string, h *packet.Headers) error {
	return firstFault(validLLAddr(path+"src_mac", &h.SrcMAC), validLLAddr(path+"dst_mac", &h.DstMAC), validIP(path+"src", &h.Src), validIP(path+"dst", &h.Dst),
		inRange(path+"vlan", h.VLAN, 0, 4095), inRange(path+"inner_vlan", h.InnerVLAN, 0, 4095))
}

// openCapture is a capture under way, and what it has seen.
type openCapture struct {
	host.Capture
	frames int
	seen   []string
	data   []byte // of a pcap file, as far as it is wanted
}

func (c *Capture) open(ctx context.Context, n host.Net) (io.Closer, error) {
	f, err := pcapfilter.Parse(c.Filter)
	if err != nil {
		return nil, err
	}
	p, err := n.Probes().Capture(ctx, host.CaptureOptions{Dev: c.Dev, Ethernet: f.Ethernet(), Plain: f.Plain(), Promisc: c.Promisc})
	return &openCapture{Capture: p}, err
}

func probeCapture(ctx context.Context, h host.Host, want *Capture) (*Capture, error) {
	out, counts := *want, make([]int, len(want.Packet))
	file := packet.FileHeader()
	err := want.watch(ctx, h, "capture "+want.Name, func(n host.Net) (io.Closer, error) { return want.open(ctx, n) }, func(c io.Closer) (verdict, broken error) {
		o := c.(*openCapture)
		if !want.Stop {
			clear(counts)
		}
		if err := want.look(ctx, o, counts); err != nil {
			return nil, err
		}
		out.Frames, out.Seen, out.Dropped = o.frames, o.seen, o.Dropped()
		file = append(packet.FileHeader(), o.data...)
		if want.Start {
			o.frames, o.seen, o.data = 0, nil, nil
		}
		return out.judge(counts), nil
	}, func() bool { return want.exceeded(counts) })
	if home := host.HomeOf(ctx); home != nil && want.PCAP != "" {
		_, fault := home.Write(file)
		if fault == nil {
			_, _, fault = home.Whole()
		}
		err = cmp.Or(err, fault)
	}
	return &out, err
}

// look counts what passes, until nothing more is waited for.
func (c *Capture) look(ctx context.Context, o *openCapture, counts []int) error {
	wait, _ := duration("", c.Wait, time.Second) // validated
	for end := time.Now().Add(wait); ; {
		left := time.Until(end)
		if c.satisfied(counts) {
			left = 0 // only what is there already
		}
		f, err := o.Next(ctx, left)
		if f == nil || err != nil {
			return err
		}
		p := packet.Parse(f.Data)
		if c.PCAP != "" && len(o.data) < 16<<20 {
			o.data = packet.AppendRecord(o.data, f.Time, f.Data, f.Length)
		}
		if o.frames++; len(o.seen) < 20 {
			o.seen = append(o.seen, p.String())
		}
		for i := range c.Packet {
			if c.Packet[i].matches(p) {
				counts[i]++
			}
		}
	}
}

func (e *PacketExpect) matches(p *packet.Packet) bool {
	return p.Matches(&e.Headers) && (e.Inner == nil || p.Inner != nil && p.Inner.Matches(e.Inner))
}

// satisfied reports whether all packets were seen as often as expected, and more of them would make no difference.
func (c *Capture) satisfied(counts []int) bool {
	for i, e := range c.Packet {
		if a, _ := parseAmount("", e.Count, ">=1"); !a.open() || !a.holds(counts[i]) {
			return false
		}
	}
	return len(counts) > 0
}

// exceeded reports whether there are more than there may be of some packet.
func (c *Capture) exceeded(counts []int) bool {
	for i, e := range c.Packet {
		if a, _ := parseAmount("", e.Count, ">=1"); counts[i] > a.high {
			return true
		}
	}
	return false
}

// judge says which packet was not seen as often as expected.
func (c *Capture) judge(counts []int) error {
	for i, e := range c.Packet {
		a, _ := parseAmount("", e.Count, ">=1") // validated
		if a.holds(counts[i]) {
			continue
		}
		count := e.Count
		if e.Count = ""; count == "" {
			count = ">=1"
		}
		b, _ := codec.Marshal(e) // plain JSON values
		where := ""
		if c.Dev != "" {
			where = " on " + c.Dev
		}
		text := fmt.Sprintf("capture%s: expected %s frames of packet[%d] %s, but %d of %d are", where, count, i, b, counts[i], c.Frames)
		if c.Dropped > 0 {
			text += fmt.Sprintf(" (%d more were dropped)", c.Dropped)
		}
		if c.Frames > 0 {
			text += "; seen: " + strings.Join(c.Seen[:min(len(c.Seen), 5)], "; ")
		}
		return fmt.Errorf("%s", text)
	}
	return nil
}
