# A point-to-point VXLAN between two machines.

variable "vni" {
  type    = number
  default = 100
}

network "myNetwork" {}

host "boxA" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.4/24"
  }
  vars = { peer = "boxB", overlay = "192.168.60.4" }
}

host "boxB" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.5/24"
  }
  vars = { peer = "boxA", overlay = "192.168.60.5" }
}

play "point-to-point VXLAN" {
  hosts  = "all"
  become = true

  vxlan "vxlan0" {
    vni     = var.vni
    remote  = hosts[peer].nic["enp0s8"].ip
    dstport = 4789
    dev     = "enp0s8"
  }
  address "vxlan0" { cidr = ["${overlay}/24"] }
}

play "the overlay carries packets" {
  hosts  = "all"
  become = true

  ping "${hosts[peer].vars.overlay}" {}
}

# On the wire there are packets between the ends of the tunnel, with the frames in them; in the tunnel there are plain frames.
play "what is on the wire" {
  hosts  = "all"
  become = true

  udp_listen "4789" {}

  capture "outside" {
    dev    = "enp0s8"
    filter = "udp port 4789"
    trigger { ping = hosts[peer].vars.overlay }
    packet {
      src    = host.nic["enp0s8"].ip
      dst    = hosts[peer].nic["enp0s8"].ip
      tunnel = "vxlan"
      vni    = var.vni
      inner {
        icmp = "echo-request"
        src  = overlay
        dst  = hosts[peer].vars.overlay
      }
    }
  }
  capture "inside" {
    dev    = "vxlan0"
    filter = "icmp"
    trigger { ping = hosts[peer].vars.overlay }
    packet {
      vlan   = 0
      tunnel = "none"
      icmp   = "echo-reply"
      src    = hosts[peer].vars.overlay
    }
  }
}
