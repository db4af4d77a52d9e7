# What depends on results: of resources it is known, of commands after apply.
host "a" { connection = "local" }
host "b" { connection = "local" }
play "p" {
  hosts  = "all"
  serial = 1
  vars   = { out = "${env("OUT")}/${host.name}" }
  file "${env("OUT")}/${host.name}/" {}
  copy "${out}/one" {
    content  = "1\n"
    register = "one"
  }
  copy "${out}/two" {
    content = "2\n"
    when    = result.one.changed
    notify  = "two"
  }
  command "printf 'x\\ny\\n'" {
    register     = "list"
    changed_when = false
  }
  copy "${out}/first" {
    content = "${result.list.stdout}\n"
    mode    = "0600"
    notify  = "first"
  }
  file "${out}/first" { mode = "0600" }
  file "${out}/${each.key}/" {
    for_each = toset(split("\n", result.list.stdout))
    notify   = "each"
  }
  file "${out}/x/deep/" {}
  file "${out}/when/" { when = result.list.rc == 0 }
  file "${out}/when/deep/" {}
  file "${out}/loop-${each.key}/" {
    for_each = { a = 1, b = 2, c = 3 }
    when     = each.value != 2
    register = "loop"
  }
  debug "${length(result.loop)} items" {}
  stat "${out}/first" { register = "stat" }
  copy "${out}/mode" { content = result.stat.exists ? "there" : "not there" }
  flush_handlers {}
  file "${out}/last/" { when = result.loop["a"].changed }
  handler "two" { file "${out}/h-two/" {} }
  handler "first" {
    file "${out}/h-first/" { notify = "second" }
    command "echo handled" { changed_when = false }
  }
  handler "each" { file "${out}/h-each/" {} }
  handler "second" { file "${out}/h-second/" {} }
}
play "later" {
  hosts = "all"
  file "${env("OUT")}/${host.name}/later" { type = "file" }
}
