# Conditions on a task's own outcome: those that a plan can judge are judged.
host "a" { connection = "local" }
play "p" {
  hosts = "a"
  vars  = { out = env("OUT") }
  command "true" {
    name         = "never"
    changed_when = false
    notify       = "told never"
  }
  command "true" {
    name         = "always"
    changed_when = true
    notify       = "told always"
  }
  command "sh -c 'exit 3'" {
    name         = "judged by what it returns"
    changed_when = self.rc == 0
    failed_when  = self.rc > 3
    notify       = "told perhaps"
  }
  copy "${out}/copied" {
    content      = "x"
    changed_when = self.changed
    failed_when  = false
    notify       = "told copied"
  }
  copy "${out}/silent" {
    content      = "x"
    changed_when = false
    notify       = "told never"
  }
  command "echo yes" {
    name     = "until"
    register = "word"
    until    = self.stdout == "yes"
    delay    = "1ms"
  }
  file "${out}/made-before" { type = "file" }
  command "touch ${out}/made-before" {
    creates = "${out}/made-before"
  }
  command "touch ${out}/made-here" {
    creates = "${out}/made-here"
  }
  file "${out}/after" {
    type   = "file"
    notify = "told after"
    when   = result.word.stdout == "yes"
  }
  handler "told never" { file "${out}/h-never/" {} }
  handler "told always" { file "${out}/h-always/" {} }
  handler "told perhaps" { file "${out}/h-perhaps/" {} }
  handler "told copied" { file "${out}/h-copied/" {} }
  handler "told after" { file "${out}/h-after/" {} }
}
