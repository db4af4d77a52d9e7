package playbooks

import (
	"slices"
	"testing"
)

// A task is the same for all hosts where it refers to nothing that is not.
func TestUniformTasks(t *testing.T) {
	s := site(t, `host "a" { vars = { n = 1 } }
variable "mtu" { default = 1400 }
locals { m = var.mtu }
play "p" {
  hosts = "a"
  vars  = { k = 2 }
  bridge "same" { mtu = local.m }
  bridge "loop ${each.key}" { for_each = toset(["x"])  mtu = length(groups.all) }
  bridge "key ${host.name}" {}
  bridge "var" { mtu = n }
  bridge "play" { mtu = k }
  bridge "facts" { when = facts.hostname == "x" }
  block {
    when = host.name == "a"
    bridge "around" {}
  }
  bridge "registers" { register = "r" }
  bridge "after" { when = result.r.changed }
  copy "/x" { content = "text" }
}`)
	var got []string
	for _, task := range s.Plays()[0].Tasks() {
		if task.uniform {
			got = append(got, task.Label)
		}
	}
	if want := []string{"same", "loop ${each.key}", "registers"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
