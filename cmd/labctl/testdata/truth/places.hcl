# On another host, once for all, step by step, and looking only.
host "a" { connection = "local" }
host "b" { connection = "local" }
host "c" { connection = "local" }
play "p" {
  hosts    = "a,b"
  strategy = "linear"
  vars     = { out = env("OUT") }
  file "${out}/${host.name}/" {}
  file "${out}/once/" {
    run_once = true
    register = "once"
    notify   = "told"
  }
  copy "${out}/${host.name}/once" {
    content = "x"
    when    = result.once.changed
  }
  file "${out}/${host.name}-at-c/" {
    on     = "c"
    notify = "told"
  }
  sync {}
  copy "${out}/${host.name}/looked" {
    content  = "x"
    check    = true
    register = "looked"
  }
  file "${out}/${host.name}/as-looked/" { when = result.looked.changed }
  command "printf asked" {
    check        = false
    changed_when = false
    register     = "asked"
  }
  file "${out}/${host.name}/${result.asked.stdout}/" {}
  block {
    assert "one fails" { that = [host.name == "a"] }
    file "${out}/${host.name}/body/" {}
    rescue { file "${out}/${host.name}/rescue/" {} }
  }
  handler "told" { file "${out}/${host.name}/told/" {} }
}
