package modules

import (
	"slices"
	"strconv"
	"strings"
)

// Parameters that can look like numbers and are not: names, lists of ranges, masks in hexadecimal.
var notNumeric = []string{"net.ipv4.ip_local_reserved_ports", "net.core.rps_default_mask", "net.core.flow_limit_cpu_bitmap", "kernel.hostname",
	"kernel.domainname", "kernel.core_pattern", "kernel.modprobe", "kernel.hotplug", "kernel.poweroff_cmd"}

// likeNow returns a wanted value in the spelling that the kernel will give it back in, judged by the present one: where that
// is numbers, the kernel reads hexadecimal and octal ones too (proc_get_long, kernel/sysctl.c) and takes nothing else.
func likeNow(key, want, now string) (string, error) {
	there := strings.Fields(now)
	if len(there) == 0 || slices.Contains(notNumeric, key) || slices.ContainsFunc(there, func(s string) bool { return !decimal(s) }) {
		return want, nil
	}
	words := strings.Fields(want)
	for i, w := range words {
		n, ok := number(w)
		if !ok {
			return "", argf("value", "%q is not a number, which %s takes: it is %s now", w, key, now)
		}
		words[i] = n
	}
	if len(words) != len(there) {
		return "", argf("value", "%s has %d numbers, not %d: it is %s now", key, len(there), len(words), now)
	}
	return strings.Join(words, " "), nil
}

// decimal reports whether s is an integer as the kernel writes it.
func decimal(s string) bool {
	n, ok := number(s)
	return ok && n == s
}

// number returns an integer in decimal digits. ok is false for what the kernel does not read as one.
func number(s string) (string, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	base := 10
	switch {
	case strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0X"):
		digits, base = digits[2:], 16
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return "", false
	}
	text := strconv.FormatUint(n, 10)
	if negative && n != 0 {
		text = "-" + text
	}
	return text, true
}
