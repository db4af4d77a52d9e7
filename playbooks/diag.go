package playbooks

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
)

// fault is an error in what the user wrote. The zero range stands for the command line, or a file that cannot be shown.
func fault(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
	if rng.Filename != "" {
		d.Subject = rng.Ptr()
	}
	return d
}

// nowhere is the range of what has no source.
var nowhere hcl.Range

// collector gathers diagnostics, each once: the same fault shows for every host, and HCL tells some twice.
type collector struct {
	mu   sync.Mutex
	list hcl.Diagnostics
	seen map[string]bool
}

func (c *collector) add(diags ...*hcl.Diagnostic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	for _, d := range diags {
		nameless(d)
		k := d.Summary + "\x00" + d.Detail
		if d.Subject != nil {
			k = d.Subject.String() + k
		}
		if !c.seen[k] {
			c.seen[k] = true
			c.list = append(c.list, d)
		}
	}
}

// nameless says of a block without its name how it is written; HCL speaks of labels.
func nameless(d *hcl.Diagnostic) {
	kind, ok := strings.CutPrefix(d.Summary, "Missing name for ")
	if ok && strings.HasPrefix(d.Detail, "All ") {
		d.Detail = fmt.Sprintf("%s has a name: %s \"NAME\" { ... }", inventory.Article(kind), kind)
	}
}

// diags returns what was gathered, ordered by file and line, those without a place last.
func (c *collector) diags() hcl.Diagnostics {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := append(hcl.Diagnostics(nil), c.list...)
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Subject, out[j].Subject
		if a == nil || b == nil {
			return a != nil
		}
		if a.Filename != b.Filename {
			return a.Filename < b.Filename
		}
		return a.Start.Byte < b.Start.Byte
	})
	return out
}

// redact takes out of diagnostics what could show a sensitive value.
func redact(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		if d.Expression == nil || d.EvalContext == nil || !touchesSensitive(d) {
			continue
		}
		d.EvalContext = nil
		d.Detail = "The expression is at fault. It holds a sensitive value, so no more can be said here."
	}
	return diags
}

func touchesSensitive(d *hcl.Diagnostic) bool {
	for _, t := range d.Expression.Variables() {
		v, diags := t.TraverseAbs(d.EvalContext)
		if !diags.HasErrors() && v != cty.NilVal && v.ContainsMarked() {
			return true
		}
	}
	return false
}
