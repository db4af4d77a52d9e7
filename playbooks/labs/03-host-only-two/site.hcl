# Two machines and their host on one network.

network "vboxnet0" {}

host "boxA" {
  nic "enp0s8" {
    network = "vboxnet0"
    address = "192.168.50.4/24"
  }
}

host "boxB" {
  nic "enp0s8" {
    network = "vboxnet0"
    address = "192.168.50.5/24"
  }
}

host "localhost" {
  connection = "local"
  nic "vboxnet0" {
    network = "vboxnet0"
    address = "192.168.50.1/24"
  }
}

group "boxes" { hosts = ["boxA", "boxB"] }

play "addresses" {
  hosts  = "all"
  become = true
  vars   = { dev = host.name == "localhost" ? "vboxnet0" : "enp0s8" }

  address "${dev}" { cidr = host.nic[dev].addresses }
}

play "everybody reaches everybody" {
  hosts  = "all"
  become = true

  reach "${host.name} to ${each.value}" {
    for_each = toset([for name in ["boxA", "boxB", "localhost"] : name if name != host.name])
    from     = host.name
    to       = each.value
    wait     = "300ms"
  }
}

play "on one segment" {
  hosts = "all"

  # Who was talked to is known by its own MAC address: nobody is in between.
  neigh_check "192.168.50.5" {
    when = host.name == "boxA"
    dev  = "enp0s8"
  }
  neigh_check "192.168.50.4" {
    when = host.name == "boxB"
    dev  = "enp0s8"
  }
  route_get "192.168.50.4" {
    when = host.name == "localhost"
    dev  = "vboxnet0"
    via  = ""
  }
}
