# The machines. For real ones give each its address, and how to log in: ssh { user = "admin" }; labctl reads ~/.ssh/config, too.
# What stands in nic blocks is how "labctl sandbox up" wires them on this computer.

network "underlay" {}

group "nodes" {}

host "node1" {
  groups = ["nodes"]
  vars   = { peer = "node2" }
  nic "eth1" { network = "underlay"  address = "192.168.50.1/24" }
}

host "node2" {
  groups = ["nodes"]
  vars   = { peer = "node1" }
  nic "eth1" { network = "underlay"  address = "192.168.50.2/24" }
}
