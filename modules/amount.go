package modules

import (
	"math"
	"strconv"
	"strings"
)

// amount is a range of numbers, as ">=1", "<5", "3" and "2-5" say.
type amount struct{ low, high int }

// parseAmount reads the argument at path, which may be unset.
func parseAmount(path, text, unset string) (amount, error) {
	if text == "" {
		text = unset
	}
	digits := strings.TrimLeft(text, "<>=")
	from, to, isRange := strings.Cut(digits, "-")
	low, err := strconv.Atoi(from)
	high := low
	if isRange && err == nil {
		high, err = strconv.Atoi(to)
	}
	op := text[:len(text)-len(digits)]
	if err != nil || low < 0 || low > high || isRange && op != "" {
		return amount{}, argf(path, "%q is not an amount such as \"3\", \">=1\", \"<5\" or \"2-5\"", text)
	}
	switch op {
	case ">=":
		return amount{low, math.MaxInt}, nil
	case ">":
		return amount{low + 1, math.MaxInt}, nil
	case "<=":
		return amount{0, high}, nil
	case "<":
		return amount{0, high - 1}, nil
	case "", "=", "==":
		return amount{low, high}, nil
	}
	return amount{}, argf(path, "%q is not one of <, <=, =, >=, >", op)
}

func (a amount) holds(n int) bool { return n >= a.low && n <= a.high }

// open reports whether more can do no harm.
func (a amount) open() bool { return a.high == math.MaxInt }
