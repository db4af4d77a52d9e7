package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"labctl/inventory"
)

// ansibleLogin is what Ansible's command line and environment say of connections. It is less than what the inventory says.
type ansibleLogin struct {
	user, key, connection string
	timeout               int
	common, extra, args   string // options of ssh(1)
	unchecked             bool   // host keys
	askPass, askBecome    bool
}

func (l *ansibleLogin) register(fs *pflag.FlagSet) {
	fs.StringVarP(&l.user, "user", "u", "", "user to log in as")
	fs.StringVar(&l.key, "private-key", "", "file of the private key")
	fs.StringVarP(&l.connection, "connection", "c", "", "ssh, smart or local")
	fs.IntVarP(&l.timeout, "timeout", "T", 0, "how long connecting may take, in seconds")
	fs.StringVar(&l.common, "ssh-common-args", "", "options for ssh")
	fs.StringVar(&l.extra, "ssh-extra-args", "", "options for ssh")
	fs.BoolVarP(&l.askPass, "ask-pass", "k", false, "labctl asks for a password when one is wanted")
	fs.BoolVarP(&l.askBecome, "ask-become-pass", "K", false, "labctl asks for a password when one is wanted")
}

func (l *ansibleLogin) fromEnvironment(getenv func(string) string) {
	l.user = first(l.user, getenv("ANSIBLE_REMOTE_USER"))
	l.key = first(l.key, getenv("ANSIBLE_PRIVATE_KEY_FILE"))
	l.args, l.common, l.extra = getenv("ANSIBLE_SSH_ARGS"), first(l.common, getenv("ANSIBLE_SSH_COMMON_ARGS")), first(l.extra, getenv("ANSIBLE_SSH_EXTRA_ARGS"))
	if n, err := strconv.Atoi(getenv("ANSIBLE_TIMEOUT")); err == nil && l.timeout == 0 {
		l.timeout = n
	}
	switch strings.ToLower(getenv("ANSIBLE_HOST_KEY_CHECKING")) {
	case "false", "no", "off", "0", "n", "f":
		l.unchecked = true
	}
}

// adjust gives the hosts what the inventory leaves open.
func (l *ansibleLogin) adjust(inv *inventory.Inventory) {
	options := sshOptions(fmt.Sprintf("%s %s %s", l.args, l.common, l.extra))
	for _, h := range inv.Hosts {
		if h.User == "" {
			h.User = l.user
		}
		if len(h.IdentityFiles) == 0 && l.key != "" {
			h.IdentityFiles = []string{l.key}
		}
		if h.ConnectTimeout == 0 {
			h.ConnectTimeout = time.Duration(l.timeout) * time.Second
		}
		if l.connection == inventory.ConnectLocal && h.Connection == "" {
			h.Connection = inventory.ConnectLocal
		}
		if l.unchecked && h.HostKeyPolicy == "" && len(h.HostKeys)+len(h.HostCAs) == 0 {
			h.HostKeyPolicy = "off"
		}
		h.Options = append(h.Options, options...)
	}
}

// sshOptions are the -o options among arguments of ssh(1), which are split as a shell would.
func sshOptions(args string) []string {
	var out []string
	words, _ := inventory.SplitWords(args) // what is wrong with them is not ours to say, as with options of no meaning here
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-o" && i+1 < len(words):
			i++
			out = append(out, words[i])
		case strings.HasPrefix(w, "-o") && len(w) > 2:
			out = append(out, w[2:])
		}
	}
	return out
}
