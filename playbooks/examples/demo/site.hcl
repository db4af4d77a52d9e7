# Three machines that only a jump host can reach, joined by an overlay network.

ssh { user = "admin" }

network "underlay" {}

host "jump" { address = "203.0.113.10" }

host "leaf1" {
  address = "10.0.0.11"
  jump    = ["jump"]
  nic "eth1" {
    network = "underlay"
    address = "192.168.50.1/24"
  }
}

host "leaf2" {
  address = "10.0.0.12"
  jump    = ["jump"]
  nic "eth1" {
    network = "underlay"
    address = "192.168.50.2/24"
  }
}

host "leaf3" {
  address = "10.0.0.13"
  jump    = ["jump"]
  nic "eth1" {
    network = "underlay"
    address = "192.168.50.3/24"
  }
}

group "leafs" { hosts = ["leaf1", "leaf2", "leaf3"] }

play "an overlay over the leafs" {
  hosts  = "leafs"
  become = true

  vxlan "vxlan0" {
    vni   = 100
    group = "239.255.0.1"
    ttl   = 5
    dev   = "eth1"
  }
  bridge "br0" { ports = ["vxlan0"] }
  address "br0" { cidr = ["10.100.0.${host.index + 1}/24"] }

  sysctl "net.ipv4.conf.br0.rp_filter" { value = "1" }
  iptables_chain "INPUT" {
    policy = "ACCEPT"
    rule {
      in_interface = "br0"
      protocol     = "icmp"
      jump         = "ACCEPT"
    }
    rule {
      in_interface = "br0"
      ctstate      = ["RELATED", "ESTABLISHED"]
      jump         = "ACCEPT"
    }
    rule {
      in_interface = "br0"
      jump         = "DROP"
    }
  }
  copy "/etc/motd" {
    content = "${host.name}: overlay address 10.100.0.${host.index + 1}\n"
  }
}

play "every leaf reaches every other" {
  hosts  = "leafs"
  become = true

  ping "10.100.0.${each.value + 1}" {
    for_each = toset([for i in range(3) : i if i != host.index])
  }
}
