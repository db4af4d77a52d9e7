# What fails in a plan fails in the play, and is seen to in the same way.
host "a" { connection = "local" }
play "p" {
  hosts = "a"
  block "rescued by a look at what is not there" {
    stat "${out}/none" { register = "none" }
    assert "there" { that = [result.none.exists] }
    file "${out}/never/" {}
    rescue {
      file "${out}/rescue/" {}
      debug "${failure.task}" {}
    }
    always { file "${out}/always/" {} }
  }
  block "nothing wrong" {
    file "${out}/body/" {}
    rescue { file "${out}/no-rescue/" {} }
    always { file "${out}/body/deep/" {} }
  }
  assert "ignored" {
    that          = [1 == 2]
    ignore_errors = true
  }
  block {
    block {
      assert "inner" { that = [false] }
      always { file "${out}/inner-always/" {} }
    }
    rescue { file "${out}/outer-rescue/" {} }
  }
  vars = { out = env("OUT") }
}
