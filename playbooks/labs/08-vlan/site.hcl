# VLANs: boxA and boxB share one, boxB and boxC another, all on one wire.

sandbox { kernel_modules = ["8021q"] }

network "myNetwork" {}

host "boxA" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.4/24"
  }
  # Its address in the other VLAN's subnet is for the proof: what keeps it out is the VLAN, not the lack of a route.
  vars = { vlans = { 100 = ["192.168.60.4/24", "192.168.70.4/24"] } }
}

host "boxB" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.5/24"
  }
  vars = { vlans = { 100 = ["192.168.60.5/24"], 200 = ["192.168.70.5/24"] } }
}

host "boxC" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.6/24"
  }
  vars = { vlans = { 200 = ["192.168.70.6/24"] } }
}

play "VLAN devices" {
  hosts  = "all"
  become = true

  vlan "enp0s8.${each.key}" {
    for_each = vlans
    dev      = "enp0s8"
    id       = each.key
  }
  address "enp0s8.${each.key}" {
    for_each = vlans
    cidr     = each.value
  }
}

play "within a VLAN" {
  hosts  = "boxB"
  become = true

  ping "192.168.60.4" {}
  ping "192.168.70.6" {}
  ping "192.168.50.4" {} # without any

  # One machine, one MAC address, in two networks.
  neigh_check "192.168.50.4" { dev = "enp0s8" }
  neigh_check "192.168.60.4" { dev = "enp0s8.100" }
}

play "tagged on the wire, untagged in the device" {
  hosts  = "boxB"
  become = true

  capture "the wire" {
    dev    = "enp0s8"
    filter = "icmp or vlan"
    trigger { ping = "192.168.60.4" }
    packet {
      vlan = 100
      icmp = "echo-request"
      dst  = "192.168.60.4"
    }
    packet {
      vlan  = 0
      icmp  = "echo-request"
      count = "0"
    }
  }
  capture "the device" {
    dev    = "enp0s8.100"
    filter = "icmp"
    trigger { ping = "192.168.60.4" }
    packet {
      vlan = 0
      icmp = "echo-reply"
      src  = "192.168.60.4"
    }
  }
  capture "the device, while pings go around it" {
    dev    = "enp0s8.100"
    filter = "icmp"
    trigger { ping = "192.168.50.4" }
    packet { count = "0" }
  }
}

play "not across VLANs" {
  hosts  = "boxA"
  become = true

  ping "192.168.70.6" { expect = "unreachable" } # nobody answers its ARP requests
}
