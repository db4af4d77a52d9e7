# Roles and files of tasks, for sure and perhaps, with handlers of their own.
host "a" { connection = "local" }
role "site" {
  variable "what" {}
  variable "mode" { default = "0755" }
  file "${out}/${var.what}/" {
    mode   = var.mode
    notify = "told"
  }
  command "printf ${var.what}" { register = "said" }
  copy "${out}/${var.what}/said" { content = result.said.stdout }
  handler "told" { file "${out}/${var.what}-told/" {} }
  output "said" { value = result.said.stdout }
}
play "p" {
  hosts = "a"
  vars  = { out = env("OUT") }
  use "site" {
    for_each = { one = "0700", two = "0755" }
    what     = each.key
    mode     = each.value
    register = "site"
    notify   = "all"
  }
  use "site" {
    what = "never"
    when = false
  }
  use "site" {
    what = "perhaps"
    when = result.site["one"].said == "one"
  }
  file "${out}/perhaps/in/" {}
  copy "${out}/known" {
    content = "x"
    when    = result.site["two"].changed
  }
  copy "${out}/unknown" { content = "${result.site["two"].said}" }
  include "more.hcl" {
    when = result.site["two"].said == "two"
    vars = { word = "w" }
  }
  include "more.hcl" { vars = { word = "v" } }
  handler "all" { file "${out}/all/" {} }
}
