package inventory

import "strings"

// glob matches as Python's fnmatch does, which Ansible asks: * is any text, ? one character, [abc], [a-z] and [!a-z] one of a set
// or none of it; a bracket that is not closed stands for itself.
func glob(pattern, name string) bool {
	p, s := []rune(pattern), []rune(name)
	star, from := -1, 0 // where the last * was, and where what follows it is being tried
	i, j := 0, 0
	for j < len(s) {
		switch n, ok := one(p[i:], s[j]); {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case ok:
			i += n
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}

// one holds a character against what stands first in a pattern, of which it takes n.
func one(p []rune, c rune) (n int, ok bool) {
	switch {
	case len(p) == 0:
		return 0, false
	case p[0] == '?':
		return 1, true
	case p[0] == '[':
		if set := bracket(p); set != nil {
			return len(set) + 2, inSet(set, c)
		}
	}
	return 1, p[0] == c
}

// bracket is what stands in the brackets with which p begins; nil if they are not closed. A ] that comes first is of the set.
func bracket(p []rune) []rune {
	i := 1
	if i < len(p) && p[i] == '!' {
		i++
	}
	if i < len(p) && p[i] == ']' {
		i++
	}
	for ; i < len(p); i++ {
		if p[i] == ']' {
			return p[1:i]
		}
	}
	return nil
}

func inSet(set []rune, c rune) bool {
	not := set[0] == '!'
	if not {
		set = set[1:]
	}
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			if set[i] <= c && c <= set[i+2] {
				return !not
			}
			i += 2
			continue
		}
		if set[i] == c {
			return !not
		}
	}
	return not
}
