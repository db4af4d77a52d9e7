# Two Ethernet segments, joined by a Linux bridge on boxB.

network "myNetworkA" {}
network "myNetworkB" {}

host "boxA" {
  nic "enp0s8" {
    network = "myNetworkA"
    address = "192.168.50.4/24"
    mac     = "02:00:00:00:50:04"
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
    mac     = "02:00:00:00:60:04"
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

# Nobody is in between: no router, and no MAC address but those of the ends.
play "the bridge passes frames on as they are" {
  hosts  = "all"
  become = true
  vars   = { a = hosts.boxA.nic["enp0s8"], c = hosts.boxC.nic["enp0s8"] }

  capture "beyond the bridge" {
    when   = host.name == "boxB"
    start  = true
    dev    = "enp0s9"
    filter = "icmp"
  }
  sync {}
  hops "${c.ip}" {
    when   = host.name == "boxA"
    expect = []
  }
  neigh_check "${c.ip}" {
    when   = host.name == "boxA"
    dev    = "enp0s8"
    lladdr = c.mac
  }
  sync {}
  capture "beyond the bridge" {
    when = host.name == "boxB"
    stop = true
    packet {
      icmp    = "echo-request"
      src     = a.ip
      dst     = c.ip
      src_mac = a.mac
      dst_mac = c.mac
    }
    packet {
      icmp    = "echo-reply"
      src_mac = c.mac
      dst_mac = a.mac
    }
  }
  fdb_check "${a.mac}" {
    when    = host.name == "boxB"
    master  = "myBridge"
    dev     = "enp0s8"
    learned = true
  }
  fdb_check "${c.mac}" {
    when    = host.name == "boxB"
    master  = "myBridge"
    dev     = "enp0s9"
    learned = true
  }
}
