# Lab 5's bridge with an address of its own: boxB takes part in the network it joins.

network "myNetworkA" {}
network "myNetworkB" {}

host "boxA" {
  nic "enp0s8" {
    network = "myNetworkA"
    address = "192.168.50.4/24"
  }
}

host "boxB" {
  nic "enp0s8" {
    network = "myNetworkA"
    address = "192.168.50.5/24"
  }
  nic "enp0s9" {
    network = "myNetworkB"
    address = "192.168.60.5/24"
  }
}

host "boxC" {
  nic "enp0s8" {
    network = "myNetworkB"
    address = "192.168.60.4/24"
  }
}

group "ends" { hosts = ["boxA", "boxC"] }

locals {
  bridge_ip = "192.168.70.4"
}

play "one subnet over both segments" {
  hosts  = "ends"
  become = true

  address "enp0s8" {
    cidr      = ["${host.nic["enp0s8"].ip}/16"]
    exclusive = true
  }
}

play "the bridge and its address" {
  hosts  = "boxB"
  become = true
  vars   = { ports = ["enp0s8", "enp0s9"] }

  address "${each.value}" {
    for_each  = toset(ports)
    cidr      = []
    exclusive = true
  }

  link "${each.value}" {
    for_each = toset(ports)
    promisc  = true
    up       = true
  }

  bridge "myBridge" { ports = ports }
  address "myBridge" { cidr = ["${local.bridge_ip}/16"] }
}

play "everyone talks to everyone" {
  hosts  = "all"
  become = true

  ping "192.168.50.4" { when = host.name != "boxA" }
  ping "192.168.60.4" { when = host.name != "boxC" }
  ping "${local.bridge_ip}" { when = host.name != "boxB" }
}
