package modules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// unit is how a number is written in tc's words: its suffixes, and what each counts, the largest first. The empty suffix
// stands for a bare number.
type unit struct {
	what     string
	suffixes []string
	counts   []float64
}

var (
	durations = unit{"a time such as \"100ms\"", []string{"s", "ms", "us", "ns"}, []float64{1e9, 1e6, 1e3, 1}}
	microtime = unit{durations.what, []string{"s", "ms", "us"}, []float64{1e6, 1e3, 1}}
	shares    = unit{"a percentage such as \"1%\"", []string{"%"}, []float64{math.MaxUint32 / 100.0}}
	rates     = unit{"a rate such as \"10mbit\"", []string{"gbit", "mbit", "kbit", "bit", "gbps", "mbps", "kbps", "bps"},
		[]float64{1e9 / 8, 1e6 / 8, 1e3 / 8, 1.0 / 8, 1e9, 1e6, 1e3, 1}}
	sizes = unit{"a size in bytes such as \"32kb\"", []string{"mb", "kb", "m", "k", "b", ""}, []float64{1 << 20, 1 << 10, 1 << 20, 1 << 10, 1, 1}}
)

// parse reads a number; of several suffixes that fit, the longest counts.
func (u unit) parse(path, text string) (int64, error) {
	at, best := -1, ""
	for i, s := range u.suffixes {
		if strings.HasSuffix(strings.ToLower(text), s) && (at < 0 || len(s) > len(best)) {
			at, best = i, s
		}
	}
	if at >= 0 {
		v, err := strconv.ParseFloat(strings.TrimSpace(text[:len(text)-len(best)]), 64)
		if v = math.Round(v * u.counts[at]); err == nil && v >= 0 && v < 1<<62 {
			return int64(v), nil
		}
	}
	return 0, argf(path, "%q is not %s", text, u.what)
}

// text writes a number with the largest suffix that needs no fraction, a percentage as short as tells it from others.
func (u unit) text(v int64) string {
	if len(u.suffixes) == 1 {
		for digits := 0; digits < 10; digits++ {
			s := strconv.FormatFloat(float64(v)/u.counts[0], 'f', digits, 64) + u.suffixes[0]
			if back, err := u.parse("", s); err == nil && back == v {
				return s
			}
		}
	}
	for i, s := range u.suffixes {
		if n := float64(v) / u.counts[i]; n == math.Trunc(n) && (n >= 1 || v == 0 && s != "gbit") {
			return fmt.Sprintf("%.0f%s", n, s)
		}
	}
	return strconv.FormatInt(v, 10)
}

// ticks is the time that size bytes take at a rate, in the ticks of 64 ns that a burst is counted in (PSCHED_SHIFT), rounded
// up so that the burst is never less than asked for.
func ticks(size, rate int64) int64 { return int64(math.Ceil(float64(size) * 1e9 / float64(rate) / 64)) }
