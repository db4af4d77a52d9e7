package inventory

import (
	"fmt"
	"sort"
	"strings"
)

// Suggest returns the name among known that was probably meant by given, or "".
func Suggest(given string, known []string) string {
	if s := completion(given, known); s != "" {
		return s
	}
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
		if d := distanceOf(given, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// completion returns the shortest of known that begins with given, or "": a word cut short is meant as a whole.
func completion(given string, known []string) string {
	best := ""
	for _, k := range known {
		if len(given) >= 3 && len(given) < len(k) && strings.EqualFold(given, k[:len(given)]) && (best == "" || len(k) < len(best)) {
			best = k
		}
	}
	for _, k := range known {
		if best != "" && strings.EqualFold(given, k) {
			return k
		}
	}
	return best
}

// distanceOf counts the characters to insert, delete, replace or swap with their neighbour to get from a to b.
func distanceOf(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
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
