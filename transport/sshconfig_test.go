package transport_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"labctl/transport"
)

func writeConfig(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// askOpenSSH returns what ssh -G says, keyword by keyword.
func askOpenSSH(config, host string) (map[string][]string, error) {
	out, err := exec.Command("ssh", "-G", "-F", config, host).Output()
	if err != nil {
		return nil, err
	}
	got := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		got[key] = append(got[key], value)
	}
	return got, nil
}

// sameAsOpenSSH compares one host of one configuration; "" if alike.
func sameAsOpenSSH(t testing.TB, config, host string) string {
	want, wantErr := askOpenSSH(config, host)
	h, err := transport.Resolve(host, config)
	if wantErr != nil || err != nil {
		if (wantErr == nil) != (err == nil) {
			return fmt.Sprintf("error %v, OpenSSH %v", err, wantErr)
		}
		return ""
	}
	one := func(key string) string {
		if len(want[key]) == 0 {
			return ""
		}
		return want[key][0]
	}
	user, port := h.User, h.Port
	if user == "" {
		user = one("user") // the default is that of whoever runs it
	}
	if port == 0 {
		port = 22
	}
	policy := map[string]string{"true": "strict", "ask": "strict", "accept-new": "accept-new", "false": "off"}[one("stricthostkeychecking")]
	mine := h.HostKeyPolicy
	if mine == "" {
		mine = transport.PolicyStrict
	}
	timeout := "none"
	if h.ConnectTimeout != 0 {
		timeout = fmt.Sprint(int(h.ConnectTimeout / time.Second))
	}
	jump := one("proxyjump")
	files := want["identityfile"]
	if len(h.IdentityFiles) == 0 {
		files = nil // defaults
	}
	for _, c := range []struct{ what, got, want string }{
		{"hostname", h.HostName, one("hostname")},
		{"user", user, one("user")},
		{"port", fmt.Sprint(port), one("port")},
		{"hostkeyalias", h.HostKeyAlias, one("hostkeyalias")},
		{"identitiesonly", map[bool]string{true: "yes", false: "no"}[h.IdentitiesOnly], one("identitiesonly")},
		{"stricthostkeychecking", mine, policy},
		{"connecttimeout", timeout, one("connecttimeout")},
		{"proxyjump", strings.Join(h.ProxyJump, ","), jump},
		{"proxycommand", h.ProxyCommand, one("proxycommand")},
		{"identityfile", strings.Join(h.IdentityFiles, "|"), strings.Join(files, "|")},
	} {
		if c.got != c.want {
			return fmt.Sprintf("%s: %q, OpenSSH %q", c.what, c.got, c.want)
		}
	}
	return ""
}

// What other readers of ssh_config get wrong, against OpenSSH itself.
func TestSSHConfigAgainstOpenSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	included := writeConfig(t, "Port 2201\nHost web1\n  User included\nHost other\n  User wrong\n")
	spaced := filepath.Join(t.TempDir(), "dir with space")
	if err := os.Mkdir(spaced, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(spaced+"/x", []byte("Port 2299\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"first value wins":       "Host web*\n Port 1\n User a\nHost *\n Port 2\n User b\n",
		"negation":               "Host * !web1\n Port 1\nHost *\n Port 2\n",
		"question mark":          "Host web?\n Port 1\nHost web\n Port 3\n",
		"tabs and quotes":        "Host\t\"web1\"\tdb\n\tPort\t1\nHost 'we b'\n Port 2\n",
		"equals":                 "Host=web1\nPort=1\nUser = x\nHostName= h\n",
		"hash in file":           "Host *\n IdentityFile /k/a#1\n IdentityFile \"/k/a #1\"\n IdentityFile /k/b # a comment\n",
		"several files":          "Host web1\n IdentityFile /a\nHost *\n IdentityFile /b\n",
		"host by percent h":      "Host *\n HostName %h.example.com\n",
		"match all":              "Match all\n Port 1\n",
		"match host list":        "Match host a*,web*\n Port 1\n",
		"match host and user":    "Match host web1 user nobody\n Port 1\nMatch host web1\n Port 2\n",
		"match by real name":     "Host web1\n HostName real\nMatch host real\n Port 1\nMatch originalhost web1\n User x\n",
		"match negated":          "Match !host web1\n Port 1\nMatch !user nobody\n User y\n",
		"match with equals":      "Match host=web1\n Port 1\n",
		"match user":             "Host web1\n User bob\nMatch user bob\n Port 1\nMatch user Bob\n HostName wrong\n",
		"match final":            "Match final host real\n Port 1\nHost web1\n HostName real\n",
		"match final all":        "Match final all\n User x\n IdentityFile /f\nHost web1\n IdentityFile /a\n",
		"jump":                   "Host web1\n ProxyJump bob@a:2222,b\n",
		"jump none":              "Host web1\n ProxyJump none\nHost *\n ProxyJump a\n",
		"jump none then command": "Host web1\n ProxyJump none\nHost *\n ProxyCommand nc %%h 22\n",
		"command then jump":      "Host web1\n ProxyCommand nc x 22 # not a comment\nHost *\n ProxyJump a\n",
		"jump then command":      "Host web1\n ProxyJump a\nHost *\n ProxyCommand nc x 22\n",
		"policies":               "StrictHostKeyChecking accept-new\nHostKeyAlias boo\nIdentitiesOnly yes\nConnectTimeout 1m30\n",
		"policy off":             "StrictHostKeyChecking off\nConnectTimeout 1h2m3s\n",
		"include":                "Include " + included + "\nHost *\n User later\n",
		"include under host":     "Host db\n Include " + included + "\nHost *\n User later\n",
		"include with a space":   "Include \"" + spaced + "/*\"\n",
		"include nothing":        "Include /nonexistent/*\nPort 7\n",
		"case":                   "hOST WEB1\n pORT 1\nHost web1\n Port 2\n",
		"crlf":                   "Host web1\r\n Port 1\r\n User x\r\n",
		"bad port":               "Port 99999\n",
		"open quote":             "User \"x\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, text)
			for _, host := range []string{"web1", "web", "WEB1", "db", "other"} {
				if diff := sameAsOpenSSH(t, path, host); diff != "" {
					t.Errorf("%s: %s", host, diff)
				}
			}
		})
	}
}

func TestSSHConfigRandomlyAgainstOpenSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	pattern := rapid.SampledFrom([]string{"*", "a", "b", "a?", "?", "!a", "!b*", "\"a\"", "ab", "*b", "real", "!*"})
	setting := rapid.SampledFrom([]string{"Port 1", "Port=2", "User u", "User \"v w\"", "HostName real", "HostName Real", "HostName %h", "HostName x%%y",
		"IdentityFile /i", "IdentityFile /j#", "IdentitiesOnly yes", "ProxyJump j", "ProxyJump none", "ProxyCommand none", "ProxyCommand nc h 1",
		"HostKeyAlias k", "ConnectTimeout 5", "StrictHostKeyChecking no", "# comment", ""})
	condition := rapid.SampledFrom([]string{"all", "host a", "host a,b", "host real", "!host a", "originalhost a*", "user u", "user nobody",
		"final", "host a user u", "final host real", "!user u", "host !a,*"})
	path := filepath.Join(t.TempDir(), "config")
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 5).Draw(t, "blocks") {
			if rapid.Bool().Draw(t, "host") {
				b.WriteString("Host " + strings.Join(rapid.SliceOfN(pattern, 1, 3).Draw(t, "patterns"), " ") + "\n")
			} else {
				b.WriteString("Match " + condition.Draw(t, "condition") + "\n")
			}
			for _, s := range rapid.SliceOfN(setting, 0, 4).Draw(t, "settings") {
				b.WriteString("  " + s + "\n")
			}
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		host := rapid.SampledFrom([]string{"a", "b", "ab", "real"}).Draw(t, "alias")
		want, err := askOpenSSH(path, host)
		if err == nil && strings.ContainsAny(want["hostname"][0], "%") {
			t.Skip("OpenSSH does not connect to that name")
		}
		if diff := sameAsOpenSSH(nil, path, host); diff != "" {
			t.Fatalf("%s in\n%s", diff, b.String())
		}
	})
}

func TestSSHConfigRefusesWhatItCannotDecide(t *testing.T) {
	for text, words := range map[string][]string{
		"\nMatch exec \"test -f x\"\n Port 1\n": {":2:", "exec"},
		"Match localnetwork 10.0.0.0/8\n":       {":1:", "localnetwork"},
		"CanonicalizeHostname yes\n":            {":1:", "canonicalizehostname"},
		"IdentityFile /k/%C\n":                  {":1:", "%C"},
		"UserKnownHostsFile ${NO_SUCH_THING}\n": {":1:", "NO_SUCH_THING"},
		"ConnectTimeout soon\n":                 {":1:", "soon"},
		"Host\n":                                {":1:", "pattern"},
	} {
		_, err := transport.Resolve("a", writeConfig(t, text))
		if err == nil {
			t.Errorf("%q is no error", text)
			continue
		}
		mention(t, err, words...)
	}
}

func TestSSHConfigTokens(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("KEYS", "/keys")
	h, err := transport.Resolve("box", writeConfig(t, "HostName %h.lab\nUser bob\nPort 2200\nIdentityFile ~/.ssh/%n-%h-%p-%r-100%%\n"+
		"IdentityFile %d/x\nIdentityFile ${KEYS}/y\nUserKnownHostsFile ~/a \"/b c\"\nIdentityAgent none\nServerAliveInterval 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/home/me/.ssh/box-box.lab-2200-bob-100%", "/home/me/x", "/keys/y"}; !slices.Equal(h.IdentityFiles, want) {
		t.Errorf("identity files %q", h.IdentityFiles)
	}
	if want := []string{"/home/me/a", "/b c", "/etc/ssh/ssh_known_hosts"}; !slices.Equal(h.KnownHosts, want) {
		t.Errorf("known hosts %q", h.KnownHosts)
	}
	if h.IdentityAgent != "none" || h.ServerAliveInterval >= 0 {
		t.Errorf("%+v", h)
	}
}

// Each hop is resolved by its own name, and nothing of the target's settings
// is applied to it.
func TestSSHConfigTarget(t *testing.T) {
	c, err := transport.LoadSSHConfig(writeConfig(t, `
Host target-host
  HostName 192.168.178.3
  User vagrant
  StrictHostKeyChecking no
  ProxyJump alice@middle:2222,last
Host middle
  HostName 10.0.0.2
  User bob
  IdentityFile /keys/middle
  ProxyJump first
Host last
  ProxyJump ignored
Host first
  HostName 34.89.221.226
Host loop-a
  ProxyJump loop-b
Host loop-b
  ProxyJump loop-a
`))
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.Target("target-host")
	if err != nil {
		t.Fatal(err)
	}
	var path []string
	for h := target; h != nil; h = h.Via {
		path = append(path, fmt.Sprintf("%s=%s@%s:%d/%s", h.Name, h.User, h.Address, h.Port, h.HostKeyPolicy))
	}
	want := "target-host=vagrant@192.168.178.3:0/off last=@last:0/ middle=alice@10.0.0.2:2222/ first=@34.89.221.226:0/"
	if got := strings.Join(path, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := c.Target("loop-a"); err == nil {
		t.Error("a loop is no error")
	} else {
		mention(t, err, "loop-a via loop-b via loop-a")
	}
}
