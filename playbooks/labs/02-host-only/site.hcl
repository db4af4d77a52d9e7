# A machine on a network that only its host is on, and then, through the host, on the LAN.

variable "dns" {
  type        = bool
  default     = false
  description = "The gateway of the LAN answers DNS questions. Without, they only have to arrive there."
}

network "vboxnet0" {}
network "lan" {}

host "boxA" {
  nic "enp0s8" {
    network = "vboxnet0"
    address = "192.168.50.4/24"
  }
}

host "localhost" {
  connection = "local"
  nic "vboxnet0" {
    network = "vboxnet0"
    address = "192.168.50.1/24"
  }
  nic "eno1" {
    network = "lan"
    address = "192.168.178.27/24"
  }
}

# The router at home.
host "gateway" {
  nic "eth0" {
    network = "lan"
    address = "192.168.178.1/24"
  }
}

play "a web server on the computer" {
  hosts  = "localhost"
  become = true

  http_responder "nginx" {
    port = 80
    body = "<html><body><h1>Welcome to nginx!</h1></body></html>"
  }
}

play "the host is a neighbour" {
  hosts = "boxA:localhost"

  # The host has a route to the network, and holds its address itself.
  route_get "192.168.50.4" {
    when = host.name == "localhost"
    dev  = "vboxnet0"
    via  = ""
  }
  route_get "192.168.50.1" {
    when = host.name == "localhost"
    type = "local"
  }
  http "http://192.168.50.1/" {
    when          = host.name == "boxA"
    body_contains = "Welcome to nginx!"
  }
  sync {} # each knows the other by then
  neigh_check "192.168.50.1" {
    when = host.name == "boxA"
    dev  = "enp0s8"
  }
  neigh_check "192.168.50.4" {
    when = host.name == "localhost"
    dev  = "vboxnet0"
  }
}

play "the way to the LAN: the machine" {
  hosts  = "boxA"
  become = true

  route "default" {
    via = "192.168.50.1"
    dev = "enp0s8"
  }
  resolver "/etc/resolv.conf" { nameservers = ["192.168.178.1"] }
}

play "the way to the LAN: the host" {
  hosts  = "localhost"
  become = true

  sysctl "net.ipv4.ip_forward" { value = "1" }
  iptables_rule "FORWARD" {
    in_interface  = "vboxnet0"
    out_interface = "eno1"
    source        = "192.168.50.0/24"
    ctstate       = ["NEW"]
    jump          = "ACCEPT"
  }
  iptables_rule "FORWARD" {
    ctstate = ["ESTABLISHED", "RELATED"]
    jump    = "ACCEPT"
  }
  iptables_rule "POSTROUTING" {
    table         = "nat"
    out_interface = "eno1"
    jump          = "MASQUERADE"
  }
}

play "the LAN sees the host" {
  hosts  = "boxA"
  become = true

  reach "boxA to the LAN" {
    from    = "boxA"
    to      = "gateway"
    seen_as = "192.168.178.27"
    wait    = "300ms"
  }
  reach "the LAN to boxA" {
    from   = "gateway"
    to     = "boxA"
    expect = "unreachable"
    wait   = "300ms"
  }
}

play "so do name servers" {
  hosts  = "boxA:gateway"
  become = true

  capture "questions" {
    when   = host.name == "gateway"
    start  = true
    dev    = "eth0"
    filter = "udp port 53"
  }
  sync {}
  dns "leftasexercise.com" {
    when   = host.name == "boxA"
    expect = var.dns ? "answer" : "fail"
    wait   = "500ms"
  }
  sync {}
  capture "questions" {
    when = host.name == "gateway"
    stop = true
    packet {
      src      = "192.168.178.27"
      dst      = "192.168.178.1"
      dst_port = 53
    }
  }
}
