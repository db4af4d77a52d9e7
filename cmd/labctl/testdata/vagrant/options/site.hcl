# Every task leaves a line in a file named after the host: which it is, and the first one who it is there and what it knows.

variable "greeting" { default = "none" }
variable "count" { default = 0 }
variable "deep" { default = {} }
variable "out" { default = "/tmp" }

host "web1" {}
host "web2" {}

play "tell" {
  hosts = "web1:web2"
  vars  = { known = jsonencode([replace(var.greeting, "'", ""), var.count, length(var.deep), lookup(host.vars, "colour", "none")]) }

  command "the first" {
    shell = "echo first $(id -un) '${known}' >> ${var.out}/${host.name}"
    tags  = ["a"]
  }
  command "the second" {
    shell = "echo second >> ${var.out}/${host.name}"
    tags  = ["b"]
  }
  command "the third" { shell = "echo third >> ${var.out}/${host.name}" }
}
