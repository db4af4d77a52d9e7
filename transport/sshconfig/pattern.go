package sshconfig

import (
	"strings"

	"labctl/transport"
)

// matchList matches s against a comma-separated list of patterns, each negated by a leading !: 1 for a match, -1 if a
// negated one matches, 0 for none (match.c, match_pattern_list).
func matchList(s, list string, lower bool) int {
	found := 0
	for list != "" {
		var pattern string
		negated := strings.HasPrefix(list, "!")
		pattern, list, _ = strings.Cut(strings.TrimPrefix(list, "!"), ",")
		if len(pattern) >= 1023 { // the size of a buffer there
			return 0
		}
		if lower {
			pattern = lowerASCII(pattern)
		}
		if transport.MatchPattern(pattern, s) {
			if negated {
				return -1
			}
			found = 1
		}
	}
	return found
}

// matchHostname folds case, as names of hosts do.
func matchHostname(name, list string) bool { return matchList(lowerASCII(name), list, true) == 1 }

// lowerASCII folds the letters that C's tolower knows in every locale, and leaves all other bytes alone.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
