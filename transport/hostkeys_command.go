package transport

import (
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// KnownHostsTokens are the tokens of KnownHostsCommand that only the
// connection knows: the name that is looked up, what for, and the type,
// fingerprint and text of the key that the server has shown.
const KnownHostsTokens = "HIKft"

// knownByCommand is where a line comes from that no file has.
const knownByCommand = "KnownHostsCommand"

// knownHostsTime bounds the command. OpenSSH waits for it for ever.
const knownHostsTime = time.Minute

// ask adds the lines that KnownHostsCommand prints. It is run as OpenSSH runs
// it (load_hostkeys_command in sshconnect.c): for the order of algorithms with
// no key, then for the key that the server has shown. One that cannot be
// started is passed over; one that fails is an error.
func (h *hostKeys) ask(invocation string, key ssh.PublicKey) error {
	if len(h.target.KnownHostsCommand) == 0 || h.pinned {
		return nil
	}
	argv := knownHostsArgv(h.target.KnownHostsCommand, h.name, invocation, key)
	if _, err := exec.LookPath(argv[0]); err != nil || !filepath.IsAbs(argv[0]) {
		h.logf("KnownHostsCommand: %s is not the absolute path of a program", argv[0])
		return nil
	}
	out, err := h.run(argv)
	if err != nil {
		return fmt.Errorf("run KnownHostsCommand: %w", err)
	}
	more := parseKnown(knownByCommand, out).find(strings.ToLower(h.name))
	for _, k := range more {
		k.line = 0 // there is no file with it
	}
	h.known = appendNew(h.known, more)
	return nil
}

// run returns what the command prints.
func (h *hostKeys) run(argv []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(h.ctx, knownHostsTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	ownGroup(cmd)
	cmd.Cancel = func() error { killGroup(cmd); return nil }
	cmd.WaitDelay = time.Second
	stderr := &tail{}
	cmd.Stderr = stderr
	out, err := cmd.Output()
	switch text := strings.TrimSpace(stderr.String()); {
	case h.ctx.Err() != nil:
		return nil, context.Cause(h.ctx)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s has not ended after %s", argv[0], knownHostsTime)
	case err != nil && text != "":
		return nil, fmt.Errorf("%s: %w: %s", argv[0], err, text)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", argv[0], err)
	case text != "":
		h.logf("KnownHostsCommand: %s", text)
	}
	return out, nil
}

// knownHostsArgv puts the tokens in.
func knownHostsArgv(command []string, name, invocation string, key ssh.PublicKey) []string {
	kind, print, text := "NONE", "NONE", "NONE"
	if key != nil {
		kind, print, text = key.Type(), ssh.FingerprintSHA256(key), base64.StdEncoding.EncodeToString(key.Marshal())
	}
	tokens := strings.NewReplacer("%%", "%", "%H", name, "%I", invocation, "%t", kind, "%f", print, "%K", text)
	argv := []string{command[0]}
	for _, a := range command[1:] {
		argv = append(argv, tokens.Replace(a))
	}
	return argv
}
