package view

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// literal writes a plain JSON value as HCL on one line.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return quote(v)
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = literal(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		return objectLiteral(v)
	}
	return clean(fmt.Sprint(v))
}

func objectLiteral(v map[string]any) string {
	if len(v) == 0 {
		return "{}"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, mapKey(k)+" = "+literal(v[k]))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// quote writes s as an HCL string: its own escapes, no template, nothing that a terminal would act on.
func quote(s string) string { return `"` + clean(escapeHCL(s)) + `"` }

var escapeHCL = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "${", "$${", "%{", "%%{").Replace

// mapKey writes a key bare where HCL allows it.
func mapKey(k string) string {
	for i, r := range k {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return quote(k)
		}
	}
	if k == "" {
		return `""`
	}
	return k
}
