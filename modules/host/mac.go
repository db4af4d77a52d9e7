package host

import (
	"encoding/hex"
	"strings"
)

// MAC returns the spelling of a link-layer address: pairs of lower-case hexadecimal digits with colons between them.
func MAC(b []byte) string {
	pairs := make([]string, len(b))
	for i := range b {
		pairs[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(pairs, ":")
}

// ParseMAC reads six bytes, EUI-48, in any of the usual spellings: 02:00:5e:10:00:01, 02-00-5e-10-00-01, 0200.5e10.0001 and
// 02005e100001; ok is false for anything else. (Package net has the same and brings a DNS resolver into the agent.)
func ParseMAC(text string) (mac []byte, ok bool) {
	parts := []string{text}
	switch {
	case strings.Count(text, ":") == 5:
		parts = strings.Split(text, ":")
	case strings.Count(text, "-") == 5:
		parts = strings.Split(text, "-")
	case strings.Count(text, ".") == 2:
		parts = strings.Split(text, ".")
	}
	for _, p := range parts {
		if len(p) != 12/len(parts) {
			return nil, false
		}
	}
	mac, err := hex.DecodeString(strings.Join(parts, ""))
	return mac, err == nil && len(mac) == 6
}
