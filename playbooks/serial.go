package playbooks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"labctl/inventory"
)

// batch is how many hosts of a play are at it together: so many, or so many of a hundred.
type batch struct {
	size    int
	percent bool
}

// serial reads the sizes of batches: a number, a share such as "30%", or a list of them, of which the last is repeated.
func (s *Site) serial(a *hclsyntax.Attribute) []batch {
	v, ok := s.constant(a, cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	list := []cty.Value{v}
	if t := v.Type(); t.IsTupleType() || t.IsListType() {
		list = v.AsValueSlice()
	}
	var out []batch
	for _, e := range list {
		b, err := batchOf(e)
		if err != nil {
			s.diags.add(fault(a.Expr.Range(), "Wrong value", "The argument \"serial\" is a number of hosts, a share such as \"30%%\", or a list of them: %s.", err))
			return nil
		}
		out = append(out, b)
	}
	return out
}

func batchOf(v cty.Value) (batch, error) {
	text, err := convert.Convert(v, cty.String)
	if err != nil || text.IsNull() {
		return batch{}, fmt.Errorf("it holds neither a number nor a string")
	}
	number, percent := strings.CutSuffix(text.AsString(), "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || percent && n > 100 {
		return batch{}, fmt.Errorf("%q is none of these", text.AsString())
	}
	return batch{n, percent}, nil
}

// failShare reads how many of a hundred hosts of a batch may fail.
func (s *Site) failShare(a *hclsyntax.Attribute) *float64 {
	v, ok := s.constant(a, cty.Number)
	if !ok {
		return nil
	}
	share, _ := v.AsBigFloat().Float64()
	if share < 0 || share > 100 {
		s.diags.add(fault(a.Expr.Range(), "Wrong value", "The argument \"max_fail_percentage\" is a number from 0 to 100."))
		return nil
	}
	return &share
}

// Batches cuts the hosts of a play into those that are at it together: all of them, where the play does not say otherwise.
func (p *Play) Batches(hosts []*inventory.Host) [][]*inventory.Host {
	if len(p.serial) == 0 || len(hosts) == 0 {
		return [][]*inventory.Host{hosts}
	}
	var out [][]*inventory.Host
	for rest := hosts; len(rest) > 0; {
		b := p.serial[min(len(out), len(p.serial)-1)]
		n := b.size
		if b.percent {
			n = max(len(hosts)*b.size/100, 1)
		}
		n = min(n, len(rest))
		out = append(out, rest[:n])
		rest = rest[n:]
	}
	return out
}

// Stops says why the play goes no further after a batch in which so many hosts have failed, or "".
func (p *Play) Stops(failed, hosts int) string {
	if why := p.tooMany(failed, hosts); why != "" || failed == 0 || failed < hosts {
		return why
	}
	return fmt.Sprintf("all %d hosts of the batch have failed", hosts)
}

// StopsAmidst says why none of a batch goes further once so many of it have failed, where its hosts wait for each other before each
// task; or "".
func (p *Play) StopsAmidst(failed, hosts int) string {
	if !p.linear {
		return ""
	}
	return p.tooMany(failed, hosts)
}

func (p *Play) tooMany(failed, hosts int) string {
	if p.failShare == nil || float64(failed*100) <= *p.failShare*float64(hosts) {
		return ""
	}
	return fmt.Sprintf("%d of %d hosts have failed, and max_fail_percentage is %g", failed, hosts, *p.failShare)
}
