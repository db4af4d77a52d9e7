# Two machines on a network that their host is not on.

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

host "localhost" { connection = "local" }

group "boxes" { hosts = ["boxA", "boxB"] }

play "addresses" {
  hosts  = "boxes"
  become = true

  address "enp0s8" { cidr = host.nic["enp0s8"].addresses }
}

play "they reach each other" {
  hosts  = "boxes"
  become = true

  reach "${host.name} to ${each.value}" {
    for_each = toset([for name in ["boxA", "boxB"] : name if name != host.name])
    from     = host.name
    to       = each.value
    wait     = "300ms"
  }
  neigh_check "192.168.50.5" {
    when = host.name == "boxA"
    dev  = "enp0s8"
  }
  neigh_check "192.168.50.4" {
    when = host.name == "boxB"
    dev  = "enp0s8"
  }
}

play "the host does not" {
  hosts  = "localhost"
  become = true

  link_check "vboxnet0" { expect = "absent" }
  reach "the host to ${each.value}" {
    for_each = toset(["boxA", "boxB"])
    from     = "localhost"
    to       = each.value
    expect   = "fail" # whether there is a default route is no matter of this lab
    wait     = "300ms"
  }
}
