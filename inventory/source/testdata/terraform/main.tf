locals {
  nat = "34.89.221.226"
  key = "~/.ssh/gcp-default-key"
  off = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
}
output "inventory" {
  value = concat(
    [{
      groups           = "['jump_hosts']"
      name             = "jump-host"
      ip               = local.nat
      ansible_ssh_user = "vagrant"
      private_key_file = local.key
      ssh_args         = local.off
    }],
    [for i, ip in ["192.168.178.3", "192.168.178.4"] : {
      groups           = "['target_hosts']"
      name             = "target-${i}"
      ip               = ip
      ansible_ssh_user = "vagrant"
      private_key_file = local.key
      ssh_args         = "${local.off} -o \"ProxyCommand ssh ${local.off} -i ${local.key} -W %h:%p vagrant@${local.nat}\""
    }],
  )
}
output "token" {
  value     = "secret"
  sensitive = true
}
