package playbooks

import "github.com/hashicorp/hcl/v2/hclsyntax"

// sync notes that the hosts of the play wait for each other at a place.
func (c *compiler) sync(p *program, b *hclsyntax.Block) {
	c.empty(b, "All hosts of the play wait for each other there.")
	c.together(b)
	rng := b.DefRange()
	p.items = append(p.items, item{sync: &rng})
}

// together refuses what hosts wait for each other at where one on which something fails takes another way: the others would wait
// for it in vain.
func (c *compiler) together(b *hclsyntax.Block) {
	switch {
	case c.handler != "":
		c.fault(b.TypeRange, "Two hosts in a handler", "A handler runs only where it is notified, so that hosts cannot wait for each other in it: %s belongs among the tasks of a play.", b.Type)
	case c.uneven:
		c.fault(b.TypeRange, "Waiting in a loop", "One host may come by here more often than another, which would wait for it in vain: %s belongs before or behind what is used or included with for_each, or by a name that differs.", b.Type)
	case c.diverts:
		c.fault(b.TypeRange, "Waiting in a block", "A host on which something fails leaves the block another way, and the others would wait for it in vain: %s belongs before or behind a block with rescue or always.", b.Type)
	}
}
