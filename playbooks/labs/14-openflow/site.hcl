# An Open vSwitch bridge under OpenFlow: what its flows say happens to packets, and what they count proves it.
#
#   labctl play -e drop=true
#
# puts in the flow that drops all TCP to port 80, and a play without it takes it out.

variable "drop" {
  type        = bool
  default     = false
  description = "Drop TCP to port 80."
}

variable "datapath" {
  type        = string
  default     = "system"
  description = "Who forwards: system is the kernel's module openvswitch, netdev is ovs-vswitchd itself."
  validation {
    condition     = contains(["system", "netdev"], var.datapath)
    error_message = "The datapaths are system and netdev."
  }
}

sandbox { kernel_modules = var.datapath == "system" ? ["openvswitch"] : [] }

host "boxA" {
  vars = { webs = { web1 = "172.16.0.1", web3 = "172.16.0.3" } }
}

locals {
  # The words of ovs-ofctl add-flow: no action is to drop.
  port80 = "priority=1000,eth_type=0x0800,ip_proto=6,tcp_dst=80,action="
}

play "containers, each with one end of a wire" {
  hosts  = "all"
  become = true

  netns "${each.key}" {
    for_each = webs
  }
  veth "${each.key}_veth0" {
    for_each   = webs
    netns      = each.key
    peer       = "${each.key}_veth1"
    peer_netns = "" # the machine's own
  }
  address "${each.key}_veth0" {
    for_each = webs
    netns    = each.key
    cidr     = ["${each.value}/12"]
  }
  # The kernel leaves checksums to NICs, which veth has none of. Up to release 3.2 ovs-vswitchd sends such frames on as they are.
  iptables_rule "OUTPUT" {
    when          = var.datapath == "netdev"
    for_each      = webs
    netns         = each.key
    table         = "mangle"
    protocol      = "tcp"
    jump          = "CHECKSUM"
    checksum_fill = true
  }
  http_responder "web1" {
    netns = "web1"
    port  = 80
    body  = "<h1>Welcome to web1!</h1>"
  }
}

play "the switch and its flows" {
  hosts  = "all"
  become = true

  package "openvswitch-switch" {}
  service "openvswitch-switch" { running = true }

  ovs_bridge "myBridge" {
    datapath_type = var.datapath
    protocols     = ["OpenFlow14"]
  }
  ovs_port "${each.key}_veth1" {
    for_each = webs
    bridge   = "myBridge"
  }
  # All of table 0: what makes a switch of it, and maybe the one that drops. Anybody else's goes.
  ovs_flow "myBridge" {
    table     = 0
    exclusive = "table"
    flows     = concat(["priority=0,action=normal"], var.drop ? [local.port80] : [])
  }
}

play "the web server answers, unless its packets are dropped" {
  hosts  = "all"
  become = true

  ping "172.16.0.1" { netns = "web3" }
  http "http://172.16.0.1/" {
    when          = !var.drop
    netns         = "web3"
    body_contains = "Welcome to web1!"
  }
  tcp "172.16.0.1:80" {
    netns  = "web3"
    expect = var.drop ? "timeout" : "open"
    wait   = "1s"
  }
}

play "what the flows count" {
  hosts  = "all"
  become = true

  # Ten requests and ten answers; ARP and IPv6 may add to them.
  flow_stats "pings are switched" {
    bridge   = "myBridge"
    table    = 0
    priority = 0
    packets  = ">=20"
    trigger {
      ping  = "172.16.0.1"
      netns = "web3"
      count = 10
    }
  }
  # The pings are not among what is dropped; a connection is, and all that is sent again for it.
  flow_stats "pings are not dropped" {
    when   = var.drop
    bridge = "myBridge"
    match  = { eth_type = "0x0800", ip_proto = 6, tcp_dst = 80 }
    trigger {
      ping  = "172.16.0.1"
      netns = "web3"
    }
    packets = "0"
  }
  flow_stats "connections are" {
    when   = var.drop
    bridge = "myBridge"
    match  = { eth_type = "0x0800", ip_proto = 6, tcp_dst = 80 }
    trigger {
      tcp   = "172.16.0.1:80"
      netns = "web3"
      wait  = "300ms"
    }
    packets = ">=1"
  }
}
