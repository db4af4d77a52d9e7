# A router made of a network namespace: forwarding, SNAT, a firewall and DNAT, in stages. Each stage is a state:
#
#   labctl play site.hcl -e stage=4
#
# goes there from wherever the lab is, back as well as forward.
#
#   0  wires and addresses; boxA knows no way to boxB
#   1  boxA has a default route; the request arrives, but boxB does not know boxA's network
#   2  the router hides boxA's address (SNAT)
#   3  the router drops what is not allowed
#   4  what comes from boxA may pass; the answers may not
#   5  answers may pass (connection tracking)
#   6  boxB reaches the web server on boxA's port 8800 through the router's address (DNAT)

variable "stage" {
  type    = number
  default = 6
  validation {
    condition     = var.stage >= 0 && var.stage <= 6 && floor(var.stage) == var.stage
    error_message = "The stages are 0 to 6."
  }
}

variable "log" {
  type        = bool
  default     = true
  description = "Log every packet in every chain, with a prefix that says which."
}

variable "kmsg" {
  type        = bool
  default     = false
  description = "Prove by the kernel's log which way the packets take. It tells of namespaces where nf_log_all_netns is set, which is one setting of the whole machine: in the sandbox the machine gets a kernel of its own."
}

locals {
  namespaces = ["boxA", "router", "boxB"]

  # Which tables have which chain, in the order in which a packet meets them.
  chains = {
    PREROUTING  = ["raw", "mangle", "nat"]
    INPUT       = ["mangle", "filter", "nat"]
    FORWARD     = ["mangle", "filter"]
    OUTPUT      = ["raw", "mangle", "nat", "filter"]
    POSTROUTING = ["mangle", "nat"]
  }

  # One entry for each namespace, chain and table.
  places = { for p in flatten([
    for ns in local.namespaces : [
      for chain, tables in local.chains : [
        for table in tables : { ns = ns, chain = chain, table = table }
      ]
    ]
  ]) : "${p.ns}:${p.chain}:${p.table}" => p }

  # The router's own rules, by place, each from the stage on that brings it.
  router = {
    "POSTROUTING:nat" = [
      { stage = 2, out = "veth2", jump = "SNAT", to_source = "172.16.200.1" },
    ]
    "PREROUTING:nat" = [
      { stage = 6, in = "veth2", port = 8800, jump = "DNAT", to_destination = "172.16.100.5:8800" },
    ]
    "FORWARD:filter" = [
      { stage = 4, in = "veth1", jump = "ACCEPT" },
      { stage = 5, ctstate = ["RELATED", "ESTABLISHED"], jump = "ACCEPT" },
      { stage = 6, in = "veth2", port = 8800, destination = "172.16.100.5", jump = "ACCEPT" },
    ]
  }
}

locals {
  # What the log tells of one ping from boxA to boxB: the chains that it passes and what it looks like there. LOG rules come first in
  # a chain, so that the last one to tell is that which drops it, or in whose way it is changed.
  there = "SRC=172.16.100.5 DST=172.16.200.5*TTL="
  request = [
    { chain = "boxA:OUTPUT", packet = "${local.there}64" },
    { chain = "boxA:POSTROUTING", packet = "${local.there}64" },
    { chain = "router:PREROUTING", packet = "${local.there}64" },
    { chain = "router:FORWARD", packet = "${local.there}63" },
    { chain = "router:POSTROUTING", packet = "${local.there}63" },
    { chain = "boxB:PREROUTING", packet = "SRC=${var.stage >= 2 ? "172.16.200.1" : "172.16.100.5"} DST=172.16.200.5*TTL=63" },
    { chain = "boxB:INPUT", packet = "SRC=172.16.200.1 DST=172.16.200.5*TTL=63" },
  ]
  back = "SRC=172.16.200.5 DST=172.16.100.5*TTL="
  reply = [
    { chain = "boxB:OUTPUT", packet = "SRC=172.16.200.5 DST=172.16.200.1*TTL=64" },
    { chain = "boxB:POSTROUTING", packet = "SRC=172.16.200.5 DST=172.16.200.1*TTL=64" },
    { chain = "router:PREROUTING", packet = "SRC=172.16.200.5 DST=172.16.200.1*TTL=64" },
    { chain = "router:FORWARD", packet = "${local.back}63" }, # connection tracking has undone the SNAT
    { chain = "router:POSTROUTING", packet = "${local.back}63" },
    { chain = "boxA:PREROUTING", packet = "${local.back}63" },
    { chain = "boxA:INPUT", packet = "${local.back}63" },
  ]
  # How far they get at each stage.
  passed = {
    request = [0, 6, 7, 4, 7, 7, 7][var.stage] # at 1 boxB's reverse path filter drops it, at 3 the router's policy
    reply   = [0, 0, 7, 0, 4, 7, 7][var.stage]
  }
  lines = concat(
    flatten([
      for at in slice(local.request, 0, local.passed.request) : [
        for table in local.chains[split(":", at.chain)[1]] : "${at.chain}:${table}:*${at.packet}"
      ]
    ]),
    # An answer belongs to a connection that is known: it does not come to the table nat, and has a rule more in mangle.
    flatten([
      for at in slice(local.reply, 0, local.passed.reply) : [
        for table in local.chains[split(":", at.chain)[1]] : concat(
          ["${at.chain}:${table}:*${at.packet}"],
          table == "mangle" && contains(["INPUT", "OUTPUT"], split(":", at.chain)[1]) ? ["${at.chain}:established:*${at.packet}"] : [],
        ) if table != "nat"
      ]
    ]),
  )
}

host "localhost" {
  connection = "local"
  kernel     = var.kmsg ? "guest" : null
}

play "wires and addresses" {
  hosts  = "localhost"
  become = true

  netns "${each.value}" {
    for_each = toset(local.namespaces)
  }

  veth "veth0" {
    netns      = "boxA"
    peer       = "veth1"
    peer_netns = "router"
  }
  veth "veth3" {
    netns      = "boxB"
    peer       = "veth2"
    peer_netns = "router"
  }

  address "${each.key}" {
    for_each = {
      veth0 = { netns = "boxA", cidr = "172.16.100.5/24" }
      veth1 = { netns = "router", cidr = "172.16.100.1/24" }
      veth2 = { netns = "router", cidr = "172.16.200.1/24" }
      veth3 = { netns = "boxB", cidr = "172.16.200.5/24" }
    }
    netns = each.value.netns
    cidr  = [each.value.cidr]
  }

  # Each namespace has its own; a new one copies the host's, whatever that is.
  sysctl "net.ipv4.ip_forward" {
    netns = "router"
    value = "1"
  }
  # boxB refuses packets from an address it has no way back to: stage 1 ends there.
  sysctl "net.ipv4.conf.all.rp_filter" {
    netns = "boxB"
    value = "1"
  }

  route "default" {
    netns  = "boxA"
    via    = "172.16.100.1"
    ensure = var.stage >= 1 ? "present" : "absent"
  }
}

play "firewall" {
  hosts  = "localhost"
  become = true

  iptables_chain "${each.value.chain}" {
    for_each  = local.places
    netns     = each.value.ns
    table     = each.value.table
    exclusive = true
    policy = (
      each.value.ns == "router" && each.value.table == "filter" && each.value.chain != "OUTPUT" && var.stage >= 3
      ? "DROP" : "ACCEPT"
    )

    dynamic "rule" {
      for_each = var.log ? [each.key] : []
      content {
        jump       = "LOG"
        log_prefix = "${rule.value}:"
        log_level  = "info"
      }
    }
    dynamic "rule" {
      for_each = var.log && each.value.table == "mangle" && contains(["INPUT", "OUTPUT"], each.value.chain) ? [1] : []
      content {
        state      = ["ESTABLISHED"]
        jump       = "LOG"
        log_prefix = "${each.value.ns}:${each.value.chain}:established:"
        log_level  = "info"
      }
    }
    dynamic "rule" {
      for_each = [
        for r in lookup(local.router, "${each.value.chain}:${each.value.table}", []) : r
        if each.value.ns == "router" && r.stage <= var.stage
      ]
      content {
        in_interface     = try(rule.value.in, null)
        out_interface    = try(rule.value.out, null)
        protocol         = try(rule.value.port, null) == null ? null : "tcp"
        destination_port = try(rule.value.port, null)
        destination      = try(rule.value.destination, null)
        ctstate          = try(rule.value.ctstate, null)
        jump             = rule.value.jump
        to_source        = try(rule.value.to_source, null)
        to_destination   = try(rule.value.to_destination, null)
      }
    }
  }
}

play "log of all namespaces" {
  hosts  = "localhost"
  become = true

  sysctl "net.netfilter.nf_log_all_netns" {
    when  = var.kmsg
    value = "1"
  }
}

play "web server on boxA" {
  hosts  = "localhost"
  become = true

  http_responder "hello" {
    netns = "boxA"
    port  = 8800
    body  = "<html><body><p>Hello!</p></body></html>"
  }
}

play "what must and must not work" {
  hosts  = "localhost"
  become = true

  ping "172.16.200.5" {
    netns  = "boxA"
    expect = ["unreachable", "loss", "reachable", "loss", "loss", "reachable", "reachable"][var.stage]
  }
  http "http://172.16.200.1:8800/" {
    when          = var.stage == 6
    netns         = "boxB"
    body_contains = "Hello!"
  }
  # Nothing else passes from the public side to the private one.
  ping "172.16.100.5" {
    when   = var.stage >= 3
    netns  = "boxB"
    expect = "unreachable"
  }
}

play "the way of a packet, by the log" {
  hosts  = "localhost"
  become = true

  kmsg "ping from boxA" {
    when     = var.kmsg
    prefix   = [for ns in local.namespaces : "${ns}:"]
    contains = "PROTO=ICMP"
    lines    = local.lines
    trigger {
      netns = "boxA"
      ping  = "172.16.200.5"
    }
  }
}
