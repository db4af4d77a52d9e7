package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxRange bounds what one range may stand for.
const maxRange = 100_000

// ExpandRange expands Ansible's ranges: web[01:50], db-[a:f], n[0:10:2]. A name without one stands for itself.
func ExpandRange(s string) ([]string, error) {
	open := strings.IndexByte(s, '[')
	if open < 0 {
		return []string{s}, nil
	}
	end := strings.IndexByte(s[open:], ']')
	if end < 0 {
		return nil, errors.New("the closing bracket is missing")
	}
	head, spec, tail := s[:open], s[open+1:open+end], s[open+end+1:]
	items, err := rangeItems(spec)
	if err != nil {
		return nil, err
	}
	rest, err := ExpandRange(tail)
	if err != nil {
		return nil, err
	}
	if len(items)*len(rest) > maxRange {
		return nil, fmt.Errorf("it stands for more than %d names", maxRange)
	}
	var out []string
	for _, i := range items {
		for _, r := range rest {
			out = append(out, head+i+r)
		}
	}
	return out, nil
}

func rangeItems(spec string) ([]string, error) {
	parts := strings.Split(spec, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, errors.New("a range is [from:to] or [from:to:step]")
	}
	step := 1
	if len(parts) == 3 {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 {
			return nil, errors.New("the step is a positive number")
		}
		step = n
	}
	from, to := parts[0], parts[1]
	if from == "" {
		from = "0"
	}
	if isLetter(from) && isLetter(to) {
		return letters(from[0], to[0], step)
	}
	return numbers(from, to, step)
}

func isLetter(s string) bool { return len(s) == 1 && (s[0]|0x20) >= 'a' && (s[0]|0x20) <= 'z' }

func letters(from, to byte, step int) ([]string, error) {
	if from > to {
		return nil, errors.New("it ends before it begins")
	}
	var out []string
	for c := int(from); c <= int(to); c += step {
		out = append(out, string(rune(c)))
	}
	return out, nil
}

// numbers keeps the leading zeros of from.
func numbers(from, to string, step int) ([]string, error) {
	a, err1 := strconv.Atoi(from)
	b, err2 := strconv.Atoi(to)
	switch {
	case err1 != nil || err2 != nil || a < 0:
		return nil, errors.New("it goes from a number to a number, or from a letter to a letter")
	case a > b:
		return nil, errors.New("it ends before it begins")
	case b-a > maxRange:
		return nil, fmt.Errorf("it stands for more than %d names", maxRange)
	}
	width := 0
	if len(from) > 1 && from[0] == '0' {
		width = len(from)
	}
	var out []string
	for n := a; n <= b; n += step {
		out = append(out, fmt.Sprintf("%0*d", width, n))
	}
	return out, nil
}
