# Machines on the network of their host: device routes between two subnets on one wire, then a bridge on the host itself.

network "lan" {}  # the host's LAN, which boxA's NIC is bridged to
network "tapB" {} # boxB's cable to the host
network "tapC" {} # boxC's cable to the host

host "localhost" {
  connection = "local"
  nic "vnetB" { network = "tapB" }
  nic "vnetC" { network = "tapC" }
}

host "lan-machine" {
  nic "eth0" {
    network = "lan"
    address = "192.168.178.28/24"
  }
}

host "boxA" {
  nic "enp0s8" {
    network = "lan"
    address = "192.168.50.4/24"
  }
}

host "boxB" {
  nic "enp0s8" {
    network = "tapB"
    address = "192.168.50.4/24"
  }
}

host "boxC" {
  nic "enp0s8" {
    network = "tapC"
    address = "192.168.50.5/24"
  }
}

play "part 1: a route by device, no gateway" {
  hosts  = "lan-machine:boxA"
  become = true
  vars   = { lan_nic = { "lan-machine" = "eth0", boxA = "enp0s8" }[host.name] }

  route "192.168.0.0/16" { dev = lan_nic }
}

play "part 1: both subnets talk on one wire" {
  hosts = "lan-machine:boxA"

  become = true

  ping "192.168.50.4" { when = host.name == "lan-machine" }
  ping "192.168.178.28" { when = host.name == "boxA" }

  # What is far by its address is asked for by ARP, as a neighbour is.
  route_get "192.168.178.28" {
    when = host.name == "boxA"
    dev  = "enp0s8"
    via  = ""
  }
  neigh_check "192.168.178.28" {
    when = host.name == "boxA"
    dev  = "enp0s8"
  }
}

play "part 2: a bridge on this machine, up before anything is plugged in" {
  hosts  = "localhost"
  become = true

  bridge "myBridge" {}
  link "vnetB" {
    master = "myBridge"
    up     = true
  }
  link "vnetC" {
    master = "myBridge"
    up     = true
  }
}

play "part 2: boxB and boxC meet on it" {
  hosts  = "boxB:boxC"
  become = true

  ping "192.168.50.5" { when = host.name == "boxB" }
  ping "192.168.50.4" { when = host.name == "boxC" }
}
