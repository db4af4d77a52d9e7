package host

import (
	"slices"
	"sort"
)

// CommonRules returns a longest common subsequence of a and b as pairs of indexes, ascending. Rules of a chain hardly ever
// repeat, so this is the algorithm of Hunt and Szymanski (CACM 20, 1977), which is nearly linear then.
func CommonRules(a, b []string) [][2]int {
	var head, tail [][2]int
	n, m := len(a), len(b)
	lo := 0
	for lo < n && lo < m && a[lo] == b[lo] {
		head = append(head, [2]int{lo, lo})
		lo++
	}
	for n > lo && m > lo && a[n-1] == b[m-1] {
		n, m = n-1, m-1
		tail = append(tail, [2]int{n, m})
	}
	slices.Reverse(tail)
	return slices.Concat(head, huntSzymanski(a, b, lo, n, m), tail)
}

// match is a pair of equal rules and the match before it in the best chain that ends here.
type match struct {
	i, j int
	prev *match
}

func huntSzymanski(a, b []string, lo, n, m int) [][2]int {
	where := map[string][]int{}
	for j := m - 1; j >= lo; j-- { // descending, so that one i cannot follow itself
		where[b[j]] = append(where[b[j]], j)
	}
	var ends []*match // ends[l]: the chain of length l+1 that ends earliest in b
	for i := lo; i < n; i++ {
		for _, j := range where[a[i]] {
			l := sort.Search(len(ends), func(l int) bool { return ends[l].j >= j })
			if l < len(ends) && ends[l].j == j {
				continue
			}
			c := &match{i: i, j: j}
			if l > 0 {
				c.prev = ends[l-1]
			}
			if l == len(ends) {
				ends = append(ends, c)
			} else {
				ends[l] = c
			}
		}
	}
	if len(ends) == 0 {
		return nil
	}
	var out [][2]int
	for c := ends[len(ends)-1]; c != nil; c = c.prev {
		out = append(out, [2]int{c.i, c.j})
	}
	slices.Reverse(out)
	return out
}
