package playbooks

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"labctl/inventory"
)

// hostOrders are the orders in which a play may take its hosts, with Ansible's names.
var hostOrders = []string{"inventory", "reverse_inventory", "sorted", "reverse_sorted", "shuffle"}

func (s *Site) hostOrder(a *hclsyntax.Attribute) string {
	order := s.constString(a)
	if order != "" && !slices.Contains(hostOrders, order) {
		s.diags.add(fault(a.Expr.Range(), "Wrong value", "The argument \"order\" cannot be %q.%s", order, inventory.DidYouMean(order, hostOrders)))
	}
	return order
}

// Ordered returns the hosts of a play in the order in which they are begun with. Their index stays what it is.
func (p *Play) Ordered(hosts []*inventory.Host) []*inventory.Host {
	hosts = slices.Clone(hosts)
	byName := func(a, b *inventory.Host) int { return strings.Compare(a.Name, b.Name) }
	switch p.order {
	case "reverse_inventory":
		slices.Reverse(hosts)
	case "sorted":
		slices.SortFunc(hosts, byName)
	case "reverse_sorted":
		slices.SortFunc(hosts, func(a, b *inventory.Host) int { return byName(b, a) })
	case "shuffle":
		rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	}
	return hosts
}
