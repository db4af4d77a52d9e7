package host

import "fmt"

// ICMPText names an ICMP error (RFC 792, RFC 1122, RFC 1812).
func ICMPText(typ, code byte, mtu uint32) string {
	switch {
	case typ == 11:
		return "time to live exceeded"
	case typ != 3:
		return fmt.Sprintf("ICMP error %d/%d", typ, code)
	}
	switch code {
	case 0, 6, 11:
		return "network unreachable"
	case 1, 7, 12:
		return "host unreachable"
	case 2:
		return "protocol unreachable"
	case 3:
		return "port unreachable"
	case 4:
		return fmt.Sprintf("packet is too big (mtu %d)", mtu)
	case 9, 10, 13:
		return "administratively prohibited"
	}
	return fmt.Sprintf("destination unreachable (code %d)", code)
}

// ICMPv6Text names an ICMPv6 error (RFC 4443).
func ICMPv6Text(typ, code byte, mtu uint32) string {
	switch typ {
	case 1:
		texts := []string{"no route", "administratively prohibited", "beyond scope of source address", "address unreachable",
			"port unreachable", "source address failed policy", "route rejected"}
		if int(code) < len(texts) {
			return texts[code]
		}
		return fmt.Sprintf("destination unreachable (code %d)", code)
	case 2:
		return fmt.Sprintf("packet is too big (mtu %d)", mtu)
	case 3:
		return "hop limit exceeded"
	}
	return fmt.Sprintf("ICMPv6 error %d/%d", typ, code)
}
