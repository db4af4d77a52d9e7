# A machine behind network address translation: it reaches what its host reaches, and nobody reaches it.

network "nat" {}    # between boxA and the hypervisor's NAT
network "docker" {} # the host's docker0

host "boxA" {
  nic "enp0s3" {
    network = "nat"
    address = "10.0.2.15/24"
  }
}

# The computer: its one foot is what the hypervisor gives the machine for a gateway.
host "localhost" {
  connection = "local"
  nic "nat0" {
    network = "nat"
    address = "10.0.2.2/24"
  }
  nic "docker0" {
    network = "docker"
    address = "172.17.0.1/16"
  }
}

# The container.
host "nginx" {
  nic "eth0" {
    network = "docker"
    address = "172.17.0.2/16"
  }
}

play "what the hypervisor does" {
  hosts  = "localhost"
  become = true

  sysctl "net.ipv4.ip_forward" { value = "1" }
  iptables_rule "POSTROUTING" {
    table         = "nat"
    source        = "10.0.2.0/24"
    out_interface = "docker0"
    jump          = "MASQUERADE"
  }
}

play "what its DHCP server does" {
  hosts  = "boxA"
  become = true

  route "default" { via = "10.0.2.2" }
}

play "a web server in a container" {
  hosts  = "nginx"
  become = true

  http_responder "nginx" {
    port = 80
    body = "<html><body><h1>Welcome to nginx!</h1></body></html>"
  }
}

play "out, but not in" {
  hosts  = "boxA"
  become = true

  http "http://172.17.0.2/" { body_contains = "Welcome to nginx!" }
  route_get "172.17.0.2" {
    via = "10.0.2.2"
    dev = "enp0s3"
  }

  # The server sees the computer, not the machine.
  reach "boxA to nginx" {
    from    = "boxA"
    to      = "nginx"
    proto   = "tcp"
    port    = 80
    service = true
    seen_as = "172.17.0.1"
    wait    = "300ms"
  }
  reach "nginx to boxA" {
    from   = "nginx"
    to     = "boxA"
    expect = "unreachable"
    wait   = "300ms"
  }
}
