# What is to be, from top to bottom on each host. "labctl plan" shows what would change, "labctl play" changes it.

variable "vni" {
  type    = number
  default = 100
}

play "an overlay between the nodes" {
  hosts  = "nodes"
  become = true

  vxlan "vxlan0" {
    vni    = var.vni
    dev    = "eth1"
    remote = hosts[peer].nic["eth1"].ip
  }
  address "vxlan0" { cidr = ["10.100.0.${host.index + 1}/24"] }
}

# Tasks that only look: "labctl verify" runs them alone.
play "the nodes reach each other" {
  hosts  = "nodes"
  become = true

  ping "10.100.0.${each.key}" { for_each = ["1", "2"] }
}
