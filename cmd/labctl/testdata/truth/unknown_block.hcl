# A block that hangs on what only the play can know.
host "a" { connection = "local" }
play "p" {
  hosts = "a"
  vars  = { out = env("OUT") }
  command "echo go" { register = "go" }
  block "perhaps" {
    when = result.go.stdout == "go"
    file "${out}/block/" {}
    file "${out}/block/deep/" { notify = "told" }
    always { file "${out}/block/always/" {} }
  }
  file "${out}/behind/" {}
  handler "told" { file "${out}/told/" {} }
}
