# A jump host with a public and an internal side, and a machine that only the internal side reaches.

ssh {
  user = "vagrant"
  # identity_file = "~/.ssh/gcp-default-key"
}

network "public-vpc" {}
network "internal-vpc" {}

host "jump-host" {
  address = "34.89.221.226"
  nic "ens5" {
    network = "internal-vpc"
    address = "192.168.178.2/24"
  }
}

host "target-host" {
  address = "192.168.178.3"
  jump    = ["jump-host"]
  nic "ens4" {
    network = "internal-vpc"
    address = "192.168.178.3/24"
  }
}

play "both answer" {
  hosts  = "all"
  become = true

  ping "127.0.0.1" {}
}

play "the target is provisioned through the jump host" {
  hosts  = "target-host"
  become = true

  copy "/etc/motd" {
    content = "${host.name}, behind the jump host.\n"
    mode    = "0644"
  }
  ping "${hosts["jump-host"].nic["ens5"].ip}" {}
}

play "the jump host only passes things on" {
  hosts  = "jump-host"
  become = true

  sysctl "net.ipv4.ip_forward" { value = "0" }
}
