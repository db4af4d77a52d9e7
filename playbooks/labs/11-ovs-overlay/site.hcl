# Two Open vSwitch bridges with containers on them, joined by VXLAN to one Ethernet.

variable "engine" {
  type        = bool
  default     = false
  description = "Containers of the host's engine, Docker or Podman; without it network namespaces stand in for them."
}

variable "image" {
  type        = string
  default     = "nginx:latest"
  description = "What the containers are made of. Nothing is needed inside."
}

variable "datapath" {
  type        = string
  default     = "system"
  description = "Who forwards: system is the kernel's module openvswitch, netdev is ovs-vswitchd itself."
}

sandbox { kernel_modules = var.datapath == "system" ? ["openvswitch"] : [] }

network "myNetwork" {}

host "boxA" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.4/24"
  }
  vars = { peer = "boxB", webs = { web1 = "172.16.0.1", web2 = "172.16.0.2" } }
}

host "boxB" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.5/24"
  }
  vars = { peer = "boxA", webs = { web3 = "172.16.0.3", web4 = "172.16.0.4" } }
}

locals {
  inside = var.engine ? "container:" : ""
  all    = merge([for h in hosts : h.vars.webs]...)
  # Made of the address, as Docker does: a container that has come back is where its neighbours still look for it.
  mac = { for name, ip in local.all : name => format("02:42:%02x:%02x:%02x:%02x", [for b in split(".", ip) : parseint(b, 10)]...) }
}

play "containers, each with one end of a wire" {
  hosts  = "all"
  become = true

  netns "${each.key}" {
    when     = !var.engine
    for_each = webs
  }
  container "${each.key}" {
    when        = var.engine
    for_each    = webs
    image       = var.image
    network     = "none"
    auto_remove = true
  }

  veth "${each.key}_veth0" {
    for_each   = webs
    netns      = "${local.inside}${each.key}"
    peer       = "${each.key}_veth1"
    peer_netns = "" # the machine's own
    address    = local.mac[each.key]
  }
  address "${each.key}_veth0" {
    for_each = webs
    netns    = "${local.inside}${each.key}"
    cidr     = ["${each.value}/12"]
  }
}

play "the switch" {
  hosts  = "all"
  become = true

  package "openvswitch-switch" {}
  service "openvswitch-switch" { running = true }

  # netdev sends tunnels out of its own bridges only: the NIC becomes a port of one, and that one has the NIC's address.
  ovs_bridge "underlay" {
    when          = var.datapath == "netdev"
    datapath_type = "netdev"
  }
  ovs_port "enp0s8" {
    when   = var.datapath == "netdev"
    bridge = "underlay"
  }
  address "enp0s8" {
    when      = var.datapath == "netdev"
    cidr      = []
    exclusive = true
  }
  link "underlay" {
    when = var.datapath == "netdev"
    up   = true
  }
  address "underlay" {
    when = var.datapath == "netdev"
    cidr = [host.nic["enp0s8"].address]
  }

  ovs_bridge "myBridge" { datapath_type = var.datapath }
  link "myBridge" { up = true }
  ovs_port "${each.key}_veth1" {
    for_each = webs
    bridge   = "myBridge"
  }
  ovs_port "vxlan0" {
    bridge  = "myBridge"
    type    = "vxlan"
    options = { remote_ip = hosts[peer].nic["enp0s8"].ip, dst_port = "4789", ttl = "5" }
  }
}

play "every container reaches every other" {
  hosts  = "all"
  become = true

  ping "${each.value.to}" {
    for_each = {
      for p in setproduct(keys(webs), keys(local.all)) : "${p[0]} to ${p[1]}" => { from = p[0], to = local.all[p[1]] }
      if p[0] != p[1]
    }
    netns = "${local.inside}${each.value.from}"
  }
}

play "one Ethernet, in VXLAN between the machines" {
  hosts  = "boxA"
  become = true

  # The neighbour is the container itself, and not a router on the way.
  neigh_check "172.16.0.4" {
    netns = "${local.inside}web1"
    dev   = "web1_veth0"
  }
  capture "the tunnel" {
    dev    = "enp0s8"
    filter = "udp port 4789"
    trigger {
      ping  = "172.16.0.4"
      netns = "${local.inside}web1"
    }
    packet {
      dst    = hosts.boxB.nic["enp0s8"].ip
      ttl    = 5
      tunnel = "vxlan"
      inner {
        icmp = "echo-request"
        src  = "172.16.0.1"
        dst  = "172.16.0.4"
      }
    }
  }
}
