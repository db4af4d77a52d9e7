package host

import "sort"

// Sort is slices.SortStableFunc in one copy for all types: of that the compiler makes 13 kB of code for each, and these
// lists are short.
func Sort[E any](list []E, compare func(a, b E) int) {
	sort.SliceStable(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
