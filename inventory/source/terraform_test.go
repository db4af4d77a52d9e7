package source_test

import (
	"slices"
	"strings"
	"testing"

	"labctl/inventory/source"
)

// The files are those that Terraform 1.5.7 and OpenTofu 1.6.3 wrote of testdata/terraform/main.tf.
func TestTerraform(t *testing.T) {
	for _, file := range []string{"terraform-output.json", "tofu-output.json", "terraform.tfstate", "tofu.tfstate"} {
		inv := load(t, source.Env{}, "testdata/terraform/"+file)
		if len(inv.Hosts) != 3 {
			t.Fatalf("%s: %d hosts", file, len(inv.Hosts))
		}
		h := inv.Host("target-1")
		if h.Address != "192.168.178.4" || h.User != "vagrant" || !slices.Equal(h.Groups, []string{"target_hosts"}) ||
			!slices.Equal(h.IdentityFiles, []string{"~/.ssh/gcp-default-key"}) {
			t.Errorf("%s: %+v", file, h)
		}
		const want = "StrictHostKeyChecking=no|UserKnownHostsFile=/dev/null|ProxyCommand=ssh -o StrictHostKeyChecking=no " +
			"-o UserKnownHostsFile=/dev/null -i ~/.ssh/gcp-default-key -W %h:%p vagrant@34.89.221.226"
		if got := strings.Join(h.Options, "|"); got != want {
			t.Errorf("%s: %s", file, got)
		}
	}
}
