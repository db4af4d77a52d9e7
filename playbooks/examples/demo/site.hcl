# Three machines behind a jump host, joined by an overlay network.

ssh { user = "admin" }

network "underlay" {}

host "jump" { address = "203.0.113.10" }

host "leaf1" {
  address = "10.0.0.11"
  jump    = ["jump"]
  nic "eth1" { network = "underlay"  address = "192.168.50.1/24" }
}

host "leaf2" {
  address = "10.0.0.12"
  jump    = ["jump"]
  nic "eth1" { network = "underlay"  address = "192.168.50.2/24" }
}

host "leaf3" {
  address = "10.0.0.13"
  jump    = ["jump"]
  nic "eth1" { network = "underlay"  address = "192.168.50.3/24" }
}

play "an overlay" {
  hosts  = "leaf*"
  become = true

  vxlan "vxlan0" { vni = 100  group = "239.255.0.1"  ttl = 5  dev = "eth1" }
  bridge "br0" { ports = ["vxlan0"] }
  address "br0" { cidr = ["10.100.0.${host.index + 1}/24"] }

  iptables_chain "INPUT" {
    exclusive = true # these rules and no others
    rule { in_interface = "br0"  protocol = "icmp"  jump = "ACCEPT" }
    rule { in_interface = "br0"  ctstate = ["RELATED", "ESTABLISHED"]  jump = "ACCEPT" }
    rule { in_interface = "br0"  jump = "DROP" }
  }
}

play "every leaf reaches every other" {
  hosts  = "leaf*"
  become = true

  ping "10.100.0.${each.key}" { for_each = ["1", "2", "3"] }
}
