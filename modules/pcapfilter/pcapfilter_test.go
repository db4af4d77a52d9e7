package pcapfilter

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"labctl/modules/host"
)

// run executes a program on a frame as the kernel would, which has a tag in it, or beside it, or no Ethernet header. Loads from
// beyond the end reject it.
func run(t *testing.T, prog []host.BPF, l layout, frame []byte) bool {
	t.Helper()
	beside := map[uint32]uint32{adTagged: 0, adProtocol: uint32(binary.BigEndian.Uint16(frame[12:]))}
	switch l {
	case tagged:
		beside = map[uint32]uint32{adTagged: 1, adTPID: beside[adProtocol], adTag: uint32(binary.BigEndian.Uint16(frame[14:]))}
		frame = append(frame[:12:12], frame[16:]...)
	case plain:
		frame = frame[14:]
	}
	var a, x uint32
	for pc := 0; pc < len(prog); pc++ {
		i := prog[pc]
		size := map[uint16]uint32{0x20: 4, 0x28: 2, 0x30: 1, 0x40: 4, 0x48: 2, 0x50: 1}[i.Op]
		switch {
		case size != 0 && i.K >= adProtocol:
			v, ok := beside[i.K]
			if !ok {
				t.Fatalf("there is nothing at %#x of %v", i.K, l)
			}
			a = v
		case i.Op == loadImmediate:
			a = i.K
		case size != 0:
			off := i.K
			if i.Op&0xe0 == 0x40 {
				off += x
			}
			if uint64(off)+uint64(size) > uint64(len(frame)) {
				return false
			}
			a = 0
			for _, b := range frame[off : off+size] {
				a = a<<8 | uint32(b)
			}
		case i.Op == loadIPLen:
			x = uint32(frame[i.K]&15) * 4
		case i.Op == loadLen:
			a = uint32(len(frame))
		case i.Op == and:
			a &= i.K
		case i.Op == jump:
			pc += int(i.K)
		case i.Op == ret:
			return i.K != 0
		default:
			yes, ok := map[uint16]bool{jumpEqual: a == i.K, jumpGreater: a > i.K, jumpAtLeast: a >= i.K}[i.Op]
			if !ok {
				t.Fatalf("instruction %#x", i.Op)
			}
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
	}
	t.Fatal("the program does not end")
	return false
}

// frames are one of each: with none, one or two tags, of all protocols that filters tell apart.
func frames() (out [][]byte) {
	ip4 := func(proto byte, src, dst string, fragment uint16, options int, payload []byte) []byte {
		b := make([]byte, 20+options)
		b[0], b[8], b[9] = byte(0x45+options/4), 64, proto
		binary.BigEndian.PutUint16(b[6:], fragment)
		copy(b[12:], netip.MustParseAddr(src).AsSlice())
		copy(b[16:], netip.MustParseAddr(dst).AsSlice())
		return append(b, payload...)
	}
	ip6 := func(next byte, src, dst string, payload []byte) []byte {
		b := make([]byte, 40)
		b[0], b[6], b[7] = 0x60, next, 64
		copy(b[8:], netip.MustParseAddr(src).AsSlice())
		copy(b[24:], netip.MustParseAddr(dst).AsSlice())
		return append(b, payload...)
	}
	ports := func(src, dst uint16) []byte {
		return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, src), dst), make([]byte, 20)...)
	}
	arp := append([]byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 10, 0, 0, 2)
	type packet struct {
		typ uint16
		b   []byte
	}
	var packets []packet
	for _, a := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.1"}, {"192.168.50.4", "239.255.0.1"}, {"10.1.2.3", "255.255.255.255"}} {
		for _, proto := range []byte{1, 2, 6, 17, 47, 132} {
			packets = append(packets, packet{0x800, ip4(proto, a[0], a[1], 0, 0, ports(1024, 80))})
		}
		packets = append(packets, packet{0x800, ip4(6, a[0], a[1], 0x2000, 8, ports(443, 5000))}, packet{0x800, ip4(17, a[0], a[1], 0x00b9, 0, ports(80, 80))},
			packet{0x800, ip4(17, a[0], a[1], 0x4000, 40, ports(4789, 4789))})
	}
	for _, a := range [][2]string{{"fd00::1", "fd00::2"}, {"fd00:0:0:1::1", "ff02::1"}} {
		for _, next := range []byte{6, 17, 58, 132} {
			packets = append(packets, packet{0x86dd, ip6(next, a[0], a[1], ports(80, 1024))},
				packet{0x86dd, ip6(44, a[0], a[1], append([]byte{next, 0, 0, 0, 0, 0, 0, 1}, ports(80, 1024)...))})
		}
	}
	packets = append(packets, packet{0x806, arp}, packet{0x8035, arp}, packet{0x88cc, make([]byte, 10)})
	for _, tags := range [][]uint16{nil, {0x8100, 100}, {0x8100, 0xe0c8}, {0x88a8, 5, 0x8100, 100}} {
		for i, p := range packets {
			b := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1}
			if i%3 > 0 {
				copy(b, []byte{byte(i % 3), 0, 0, 0, 0, 2})
			}
			for _, v := range append(tags, p.typ) {
				b = binary.BigEndian.AppendUint16(b, v)
			}
			b = append(b, p.b...)
			out = append(out, append(b, make([]byte, 120-len(b)+i)...)) // nothing ends in the middle
		}
	}
	return out
}

// record writes frames as a pcap file whose seconds are their numbers.
func record(t *testing.T, frames [][]byte) string {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	for i, f := range frames {
		for _, v := range []int{i, 0, len(f), len(f)} {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		b = append(b, f...)
	}
	path := filepath.Join(t.TempDir(), "frames.pcap")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// tcpdump returns the numbers of the frames that it lets through.
func tcpdump(t *testing.T, path, filter string) map[int]bool {
	t.Helper()
	out, err := exec.Command("tcpdump", "-r", path, "-w", "-", filter).Output()
	if err != nil {
		var stderr []byte
		if e, ok := err.(*exec.ExitError); ok {
			stderr = e.Stderr
		}
		if bytes.Contains(stderr, []byte("rejects all packets")) {
			return nil
		}
		t.Fatalf("tcpdump %q: %v: %s", filter, err, stderr)
	}
	passed := map[int]bool{}
	for b := out[24:]; len(b) >= 16; b = b[16+binary.LittleEndian.Uint32(b[8:]):] {
		passed[int(binary.LittleEndian.Uint32(b))] = true
	}
	return passed
}

var primitives = strings.Split(`ip|ip6|arp|rarp|tcp|udp|sctp|icmp|icmp6|igmp|vlan|vlan 100|vlan 200|host 10.0.0.1|src host 10.0.0.1|dst 10.0.0.1|
src or dst host 10.0.0.2|src and dst net 10|src host 10.0.0.1 or 10.0.0.2|ip host 10.0.0.1|arp host 10.0.0.2|ip src 192.168.50.4|net 10.0.0.0/8|dst net 239.0.0.0/8|
net 10.0.0.0 mask 255.255.255.0|src net 192.168|host fd00::1|ip6 dst host ff02::1|net fd00::/64|src net fd00::/48|port 80|src port 80|dst port 80|
tcp port 80|udp dst port 4789|src or dst port 443|portrange 80-1024|udp src portrange 4000-5000|proto 47|ip proto 132|ip6 proto 17|ether proto 0x88cc|
ether proto \arp|ip proto \tcp|ether host 02:00:00:00:00:01|ether dst 01:00:00:00:00:02|ether broadcast|ether multicast|broadcast|multicast|ip multicast|
ip6 multicast|less 130|greater 150|port 80 or 443|host 10.0.0.1 and 10.0.0.2|net 0.0.0.0/0`, "|")

// expression makes a random filter of primitives.
func expression(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return strings.TrimSpace(primitives[r.IntN(len(primitives))])
	}
	switch r.IntN(5) {
	case 0:
		return "not " + expression(r, 0)
	case 1:
		return "( " + expression(r, depth-1) + " )"
	}
	op := []string{" and ", " or ", " && ", " || "}[r.IntN(4)]
	return expression(r, depth-1) + op + expression(r, depth-1)
}

// TestFiltersAsTcpdump lets tcpdump and the programs made here judge the same frames.
func TestFiltersAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip("tcpdump is not installed")
	}
	all := frames()
	path := record(t, all)
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("LABCTL_TEST_SEED"), strconv.FormatUint(rand.Uint64(), 10)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	filters := append([]string{}, primitives...)
	for range 300 {
		// libpcap's optimizer mistakes an IPv6 network that is asked for twice: "net N and not net N" passes frames.
		if f := expression(r, 3); strings.Count(f, "::/") < 2 {
			filters = append(filters, f)
		}
	}
	for _, filter := range filters {
		filter = strings.TrimSpace(filter)
		f, err := Parse(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		want, prog := tcpdump(t, path, filter), f.Ethernet()
		for i, frame := range all {
			if binary.BigEndian.Uint16(frame[12:]) == 0x8100 || frame[12] == 0x88 && frame[13] == 0xa8 {
				if got := run(t, prog, tagged, frame); got != want[i] {
					t.Errorf("seed %d: %q passes frame %d %x with its tag beside it: %v, not %v", seed, filter, i, frame[:60], got, want[i])
					break
				}
			} else if got := run(t, f.Plain(), plain, frame); got != want[i] && !strings.Contains(filter, "ether") && !strings.Contains(filter, "cast") {
				t.Errorf("seed %d: %q passes frame %d %x without its header: %v, not %v", seed, filter, i, frame[14:60], got, want[i])
				break
			}
			if got := run(t, prog, whole, frame); got != want[i] {
				t.Errorf("seed %d: %q passes frame %d %x: %v, not %v", seed, filter, i, frame[:60], got, want[i])
				break
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for filter, want := range map[string]string{
		"tcp and":                       "a value is missing at the end",
		"(tcp":                          "parenthesis is missing",
		"tcp)":                          `")" is not expected`,
		"tpc":                           `"tpc" is not known`,
		"port http":                     "names are not looked up",
		"host www":                      "names are not looked up",
		"icmp port 80":                  "icmp has no ports",
		"tcp host 10.0.0.1":             "tcp has no such addresses",
		"net 10.0.0.1/8":                "the network is 10.0.0.0/8",
		"vlan 5000":                     "not a number up to 4095",
		"ether host 10.0":               "not a MAC address",
		"ip broadcast":                  "not supported",
		"ether":                         "needs host",
		"net 10.0.0.0 mask 255.0.255.0": "not one of the first bits",
	} {
		if f, err := Parse(filter); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; not %q", filter, f, err, want)
		}
	}
}

// TestLongFilters checks that jumps reach as far as they have to.
func TestLongFilters(t *testing.T) {
	var hosts []string
	for i := range 200 {
		hosts = append(hosts, fmt.Sprintf("host 10.9.0.%d", i+1))
	}
	f, err := Parse("not (" + strings.Join(hosts, " or ") + ") and udp port 4789")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, frame := range frames() {
		if run(t, f.Ethernet(), whole, frame) {
			n++
		}
	}
	if n != 4 || !bytes.Equal([]byte{0}, []byte{byte(f.Plain()[len(f.Plain())-1].K)}) {
		t.Errorf("%d frames pass", n)
	}
}
