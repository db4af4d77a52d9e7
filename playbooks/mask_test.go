package playbooks

import (
	"strings"
	"testing"

	"labctl/modules"
)

// TestMask plants a secret in places where none belongs, and looks for it in what is said of it.
func TestMask(t *testing.T) {
	t.Parallel()
	const secret = `pl"anted`
	head := "variable \"t\" {\n  sensitive = true\n  default = \"pl\\\"anted\"\n}\nhost \"h\" { connection = \"local\" }\n"
	task := func(s string) string { return "play \"p\" {\n  hosts = \"h\"\n  " + s + "\n}\n" }
	silent := 0
	for _, text := range []string{
		task(`debug "a" { notify = var.t }`),
		task(`debug "a" { tags = [var.t] }`),
		task(`debug "a" { timeout = var.t }`),
		task(`debug "a" { when = var.t }`),
		task(`debug "a" { become_method = var.t }`),
		task(`debug "a" { for_each = [var.t] }`),
		task(`debug "a" { msg = tonumber(var.t) }`),
		task(`debug "a" { msg = {a=1}[var.t] }`),
		task(`debug "a" { msg = regex("[", var.t) }`),
		task(`debug "a" { msg = file("/nonexistent/${var.t}") }`),
		task(`debug "a" { msg = decrypt(var.t) }`),
		task(`copy "/tmp/x" { src = var.t }`),
		task(`copy "/tmp/x" { mode = var.t }`),
		task(`sysctl "net.ipv4.ip_forward" { value = [var.t] }`),
		task(`route "10.0.0.0/8" { via = var.t }`),
		task(`serial = var.t`),
		task(`vars = { x = tonumber(var.t) }` + "\n" + `debug "a" { msg = x }`),
		`locals { a = {a=1}[var.t] }`,
		`host "g" { port = var.t }`,
		`host "g" { connect_timeout = var.t }`,
		`host "g" { host_key_policy = var.t }`,
		`host "g" { become_method = var.t }`,
		`host "g" { jump = [var.t] }`,
		`host "g" { groups = [var.t] }`,
		`group "g" { hosts = [var.t] }`,
		`network "n" { cidr = var.t }`,
		"tunnel \"x\" {\n  host = var.t\n  to = var.t\n  listen = var.t\n}",
		"variable \"v\" {\n  default = 1\n  validation {\n    condition = var.t == \"x\"\n    error_message = \"is ${var.t}\"\n  }\n}",
	} {
		s, diags := LoadSources(t.TempDir(), []Source{{"site.hcl", []byte(head + text)}}, Options{Registry: modules.Default, Environ: []string{}})
		diags = s.Mask(append(diags, s.Validate("")...))
		if !diags.HasErrors() {
			silent++
			t.Logf("no fault: %s", text)
		}
		for _, d := range diags {
			if said := d.Summary + d.Detail; strings.Contains(said, secret) || strings.Contains(said, `pl\"anted`) {
				t.Errorf("%s\n%s", text, said)
			}
		}
	}
	if silent > 3 {
		t.Errorf("%d of the places are no fault", silent)
	}
}
