package view

import (
	"fmt"
	"sort"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics prints diags to Err with the source lines at fault, which come from files by name. What is said twice (one unknown
// variable in two evaluations, one fault for many hosts) is printed once, in the order of the source.
func Diagnostics(o Options, files map[string]*hcl.File, diags hcl.Diagnostics) error {
	w := hcl.NewDiagnosticTextWriter(o.Err, files, uint(newPrinter(o).width), o.Color)
	for _, d := range unique(diags) {
		if err := w.WriteDiagnostic(d); err != nil {
			return fmt.Errorf("print diagnostic: %w", err)
		}
		if !o.GitHub {
			continue
		}
		if _, err := fmt.Fprintln(o.Err, annotate(o, d)); err != nil {
			return fmt.Errorf("print diagnostic: %w", err)
		}
	}
	return nil
}

// unique drops repeated diagnostics and sorts the rest by place, those without a place first.
func unique(diags hcl.Diagnostics) hcl.Diagnostics {
	type key struct {
		severity                 hcl.DiagnosticSeverity
		summary, detail, subject string
	}
	seen := map[key]bool{}
	var out hcl.Diagnostics
	for _, d := range diags {
		k := key{d.Severity, d.Summary, d.Detail, ""}
		if d.Subject != nil {
			k.subject = d.Subject.String()
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, d)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return before(out[i].Subject, out[j].Subject) })
	return out
}

func before(a, b *hcl.Range) bool {
	switch {
	case a == nil || b == nil:
		return a == nil && b != nil
	case a.Filename != b.Filename:
		return a.Filename < b.Filename
	}
	return a.Start.Byte < b.Start.Byte
}
