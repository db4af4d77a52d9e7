# What commands do on a host, a plan does not see. It goes on behind what it cannot tell.
host "a" { connection = "local" }
play "p" {
  hosts = "a"
  vars  = { out = env("OUT") }
  command "mkdir -p ${out}/by-command" {}
  file "${out}/by-command/in/" { notify = "told" }
  file "${out}/by-command/in/it" { type = "file" }
  file "${out}/beside/" { register = "beside" }
  block {
    file "${out}/by-command/too/" {}
    file "${out}/beside/too/" { when = result.beside.changed }
    rescue { file "${out}/never/" {} }
  }
  command "rmdir ${out}/nowhere" {
    failed_when = self.rc > 1
  }
  file "${out}/last/" {}
  handler "told" { file "${out}/told/" {} }
}
