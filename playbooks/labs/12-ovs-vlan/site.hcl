# Two VLANs across two Open vSwitch bridges: access ports for the containers, a trunk between the machines.

variable "engine" {
  type        = bool
  default     = false
  description = "Containers of the host's engine, Docker or Podman; without it network namespaces stand in for them."
}

variable "image" {
  type    = string
  default = "nginx:latest"
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
  vars = { webs = {
    # web1 has an address in the other VLAN's subnet, too: it is the VLAN that keeps it out, not the lack of a route.
    web1 = { cidr = ["192.168.50.1/24", "192.168.60.1/24"], tag = 100, mac = "02:42:00:00:00:01" }
    web2 = { cidr = ["192.168.60.2/24"], tag = 200, mac = "02:42:00:00:00:02" }
  } }
}

host "boxB" {
  nic "enp0s8" {
    network = "myNetwork"
    address = "192.168.50.5/24"
  }
  vars = { webs = {
    web3 = { cidr = ["192.168.50.3/24"], tag = 100, mac = "02:42:00:00:00:03" }
    web4 = { cidr = ["192.168.60.4/24"], tag = 200, mac = "02:42:00:00:00:04" }
  } }
}

locals {
  inside = var.engine ? "container:" : ""
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
    peer_netns = ""             # the machine's own
    address    = each.value.mac # always the same: a container that has come back is where its neighbours still look for it
  }
  address "${each.key}_veth0" {
    for_each = webs
    netns    = "${local.inside}${each.key}"
    cidr     = each.value.cidr
  }
}

play "the switch" {
  hosts  = "all"
  become = true

  package "openvswitch-switch" {}
  service "openvswitch-switch" { running = true }

  # The trunk is a port now, and has no address of its own.
  address "enp0s8" {
    cidr      = []
    exclusive = true
  }

  ovs_bridge "myBridge" { datapath_type = var.datapath }
  link "myBridge" { up = true }
  ovs_port "${each.key}_veth1" {
    for_each = webs
    bridge   = "myBridge"
    tag      = each.value.tag
  }
  ovs_port "enp0s8" {
    bridge = "myBridge"
    tag    = "" # none: it carries all
  }
}

play "same VLAN, both machines" {
  hosts  = "all"
  become = true

  ping "192.168.50.3" {
    when  = host.name == "boxA"
    netns = "${local.inside}web1"
  }
  ping "192.168.60.4" {
    when  = host.name == "boxA"
    netns = "${local.inside}web2"
  }
}

play "tagged on the trunk, untagged at the container" {
  hosts  = "boxA"
  become = true

  capture "trunk" {
    dev    = "enp0s8"
    filter = "vlan and icmp"
    trigger {
      ping  = "192.168.50.3"
      netns = "${local.inside}web1"
    }
    packet {
      vlan = 100
      icmp = "echo-request"
      dst  = "192.168.50.3"
    }
  }
  capture "access port" {
    dev    = "web1_veth1"
    filter = "icmp"
    trigger {
      ping  = "192.168.50.3"
      netns = "${local.inside}web1"
    }
    packet {
      vlan = 0
      icmp = "echo-reply"
      src  = "192.168.50.3"
    }
  }
}

play "the other VLAN is out of reach, though there is a route" {
  hosts  = "boxA"
  become = true

  ping "192.168.60.4" {
    netns  = "${local.inside}web1"
    expect = "fail" # its ARP requests stay in VLAN 100
  }
}
