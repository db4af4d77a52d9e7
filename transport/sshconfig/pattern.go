package sshconfig

import "strings"

// matchPattern matches s against a pattern of ssh_config(5), PATTERNS: * is any run of characters, ? one of them. It takes
// time in proportion to the product of the lengths at worst.
func matchPattern(s, pattern string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}

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
		if matchPattern(s, pattern) {
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
