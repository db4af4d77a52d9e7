package inventory

import (
	"fmt"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
)

// Suggest returns the name among known that was probably meant by given, or "".
func Suggest(given string, known []string) string {
	best, distance := "", 3 // further away is another word
	switch {
	case len(given) < 3:
		distance = 1
	case len(given) < 5:
		distance = 2
	}
	for _, k := range known {
		if strings.EqualFold(given, k) {
			return k
		}
		if abs(len(k)-len(given)) >= distance {
			continue
		}
		if d := levenshtein.Distance(given, k, nil); d < distance {
			best, distance = k, d
		}
	}
	return best
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// DidYouMean returns ` Did you mean "x"?` when one of known was probably meant. Otherwise, when known are few, it lists them
// as ` Known: a, b.`
func DidYouMean(given string, known []string) string {
	if s := Suggest(given, known); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	if len(known) == 0 || len(known) > 40 {
		return ""
	}
	sorted := append([]string(nil), known...)
	sort.Strings(sorted)
	return " Known: " + strings.Join(sorted, ", ") + "."
}
