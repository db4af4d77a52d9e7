# One VXLAN over three machines; unknown destinations are flooded to a multicast group.

network "myNetwork" {}

host "boxA" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.4/24"
  }
}

host "boxB" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.5/24"
  }
}

host "boxC" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.6/24"
  }
}

locals {
  # The overlay address of each machine ends as its underlay address does.
  overlay = { for name, h in hosts : name => cidrhost("192.168.60.0/24", split(".", h.nic["enp0s8"].ip)[3]) }
}

play "VXLAN over a multicast group" {
  hosts  = "all"
  become = true

  vxlan "vxlan0" {
    vni     = 100
    group   = "239.255.0.1"
    ttl     = 5 # with the default of 1 nothing comes back in many networks
    dstport = 4789
    dev     = "enp0s8"
  }
  address "vxlan0" { cidr = ["${local.overlay[host.name]}/24"] }
}

play "all three reach each other" {
  hosts  = "all"
  become = true

  ping "${each.value}" {
    for_each = { for name, ip in local.overlay : name => ip if name != host.name }
  }
}

# What boxA asks all is heard by boxC, within a packet to the group.
play "questions to all go to the group" {
  hosts  = "all"
  become = true

  maddr "239.255.0.1" { dev = "enp0s8" }

  capture "flooded" {
    when   = host.name == "boxC"
    start  = true
    dev    = "enp0s8"
    filter = "udp port 4789"
  }
  sync {}
  arp "192.168.60.5" {
    when = host.name == "boxA"
    dev  = "vxlan0"
  }
  sync {}
  capture "flooded" {
    when = host.name == "boxC"
    stop = true

    packet {
      src     = "192.168.50.4"
      dst     = "239.255.0.1"
      dst_mac = "01:00:5e:7f:00:01"
      tunnel  = "vxlan"
      vni     = 100
      inner {
        dst_mac = "ff:ff:ff:ff:ff:ff"
        arp     = "request"
        src     = "192.168.60.4"
        dst     = "192.168.60.5"
      }
    }
    packet {
      src   = "192.168.50.5" # the answer is for boxA alone
      count = "0"
      inner {
        arp = "reply"
        dst = "192.168.60.4"
      }
    }
  }
}
