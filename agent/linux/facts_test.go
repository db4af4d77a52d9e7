package linux

import "testing"

func TestEnvironLeavesOutWhatSudoAdds(t *testing.T) {
	t.Setenv("SUDO_COMMAND", "/x/agent")
	t.Setenv("LABCTL_TEST_ENV", "x=y")
	got := environ()
	if _, is := got["SUDO_COMMAND"]; is || got["LABCTL_TEST_ENV"] != "x=y" {
		t.Errorf("environment %v", got)
	}
}
