package linux

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// errors empties the error queue and reports whether it told the end of request seq.
func (s *pinger) errors(seq uint16) bool {
	b, oob := make([]byte, 2048), make([]byte, 512)
	ended := false
	for {
		n, oobn, _, _, err := unix.Recvmsg(s.fd, b, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return ended
		}
		if n > 0 && s.port == 0 && !s.matches(b[:n], seq, 8, 128) { // what this host itself refuses comes without the packet
			continue
		}
		if text, from, expired := icmpError(oob[:oobn]); text != "" {
			s.res.Unreachable, s.res.From, s.res.Expired = text, from, expired
			if from != "" {
				s.res.Unreachable += " from " + from
			}
			ended = true
		}
	}
}

// icmpError says what the extended error in control messages means: struct sock_extended_err of linux/errqueue.h, followed
// by the address of who sent it. Expired: the time to live was over there.
func icmpError(oob []byte) (text, from string, expired bool) {
	cmsgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return "", "", false
	}
	for _, c := range cmsgs {
		v4 := c.Header.Level == unix.IPPROTO_IP && c.Header.Type == unix.IP_RECVERR
		v6 := c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_RECVERR
		if !v4 && !v6 || len(c.Data) < 16 {
			continue
		}
		errno := unix.Errno(binary.NativeEndian.Uint32(c.Data))
		origin, typ, code := c.Data[4], c.Data[5], c.Data[6]
		info := binary.NativeEndian.Uint32(c.Data[8:])
		switch {
		case origin == unix.SO_EE_ORIGIN_ICMP:
			return host.ICMPText(typ, code, info), offender(c.Data[16:]), typ == 11
		case origin == unix.SO_EE_ORIGIN_ICMP6:
			return host.ICMPv6Text(typ, code, info), offender(c.Data[16:]), typ == 3
		case errno == unix.EMSGSIZE:
			return fmt.Sprintf("packet is too big (mtu %d)", info), "", false
		}
		return cmp.Or(refusal(errno), errno.Error()), "", false
	}
	return "", "", false
}

// offender is the address of who sent the error, by its struct sockaddr_in or sockaddr_in6.
func offender(sa []byte) string {
	if len(sa) < 8 {
		return ""
	}
	switch binary.NativeEndian.Uint16(sa) {
	case unix.AF_INET:
		ip, _ := netip.AddrFromSlice(sa[4:8])
		return ip.String()
	case unix.AF_INET6:
		if len(sa) >= 24 {
			ip, _ := netip.AddrFromSlice(sa[8:24])
			return ip.Unmap().String()
		}
	}
	return ""
}
