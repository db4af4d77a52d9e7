package transport_test

import (
	"strings"
	"testing"
	"time"

	"labctl/transport"
)

// forced makes sshd run a command for every key, whatever is asked for.
func forced(command string) string {
	return "sed -i 's#^#command=\"" + command + "\" #' /etc/box_keys\n"
}

// A server that runs something else in place of the agent's command is told from one that runs it badly, and the message
// names where it is said.
func TestForcedCommand(t *testing.T) {
	const nameIt = "see command= in authorized_keys, ForceCommand in its sshd_config, and the login shell of the user"
	for _, test := range []struct {
		name, setup string
		sshd        []string
		want        []string
	}{
		{"authorized_keys", forced("echo Only backups here; exit 3"), nil, []string{"status 3", `"Only backups here"`, nameIt}},
		{"authorized_keys, on standard error", forced("echo Only backups here >\\&2"), nil, []string{"status 0", "Only backups here", nameIt}},
		{"ForceCommand", "", []string{"ForceCommand echo Only backups here"}, []string{`"Only backups here"`, nameIt}},
		{"one that says nothing", forced("/bin/false"), nil, []string{"the server runs another command in place of labctl's", "status 1", nameIt}},
		{"one that repeats what it was told", forced("echo $SSH_ORIGINAL_COMMAND"), nil, []string{"status 0", nameIt}},
		{"one that reads", forced("cat"), nil, []string{"no answer within 2s", nameIt}},
		{"one that waits", forced("exec sleep 60"), nil, []string{"no answer within 2s", nameIt}},
		{"internal-sftp", "", []string{"ForceCommand internal-sftp"}, []string{"the server has an SFTP server run in place of commands", "ForceCommand internal-sftp"}},
		{"sftp-server", forced("/usr/lib/openssh/sftp-server"), nil, []string{"an SFTP server run in place of commands", "command= in authorized_keys"}},
		{"internal-sftp in a root directory", "", []string{"ForceCommand internal-sftp", "ChrootDirectory /home"}, []string{"an SFTP server run"}},
		{"nologin", hardLogin{shell: "/usr/sbin/nologin"}.setup(""), nil, []string{"This account is currently not available", nameIt}},
		{"a login script that ends", hardLogins["bash"].setup("echo Go away; exit 0"), nil, []string{"Go away", nameIt}},
		{"a login script that reads everything", hardLogins["bash"].setup("cat > /dev/null"), nil,
			[]string{"no answer within 2s", "start-up file of the login shell"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := talk(t, asAlice(t, test.setup, test.sshd...), newBins(t), transport.AgentOptions{HelloTimeout: 2 * time.Second}, "hi")
			if err == nil {
				t.Fatal("no error")
			}
			t.Logf("message: %v", err)
			mention(t, err, test.want...)
			if strings.Contains(err.Error(), "labctl-runs") {
				t.Errorf("the message shows how it is done: %v", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A forced command that does run what it was told is no obstacle.
func TestForcedCommandThatObeys(t *testing.T) {
	c := asAlice(t, forced(`logger -t ssh told; sh -c \\"$SSH_ORIGINAL_COMMAND\\"`))
	if got, err := talk(t, c, newBins(t), transport.AgentOptions{}, "frames"); err != nil || got != hello+"frames" {
		t.Errorf("got %q, %v", got, err)
	}
}
