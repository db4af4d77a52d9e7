# Two Ethernet segments, joined by a Linux bridge on boxB.

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

play "one subnet over both segments" {
  hosts  = "ends"
  become = true

  address "enp0s8" {
    cidr      = ["${host.nic["enp0s8"].ip}/16"]
    exclusive = true # the /24 goes
  }
}

play "the bridge" {
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
}

play "both ends talk across it" {
  hosts  = "ends"
  become = true

  ping "192.168.60.4" { when = host.name == "boxA" }
  ping "192.168.50.4" { when = host.name == "boxC" }
}
