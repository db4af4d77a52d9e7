package sshconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// algorithmSet is one kind of algorithm: those offered by default, best first, and all there are.
type algorithmSet struct{ standard, all []string }

// algorithmTable has a set for each keyword.
type algorithmTable map[string]algorithmSet

// openssh are the sets of OpenSSH 10.5 (myproposal.h, kex-names.c, cipher.c, mac.c, sshkey.c), and among all there are also
// those that earlier releases had.
var openssh = func() algorithmTable {
	keys := algorithmSet{
		standard: names(`ssh-ed25519-cert-v01@openssh.com ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384-cert-v01@openssh.com
			ecdsa-sha2-nistp521-cert-v01@openssh.com sk-ssh-ed25519-cert-v01@openssh.com sk-ecdsa-sha2-nistp256-cert-v01@openssh.com
			webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com rsa-sha2-512-cert-v01@openssh.com rsa-sha2-256-cert-v01@openssh.com
			ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 sk-ssh-ed25519@openssh.com
			sk-ecdsa-sha2-nistp256@openssh.com webauthn-sk-ecdsa-sha2-nistp256@openssh.com rsa-sha2-512 rsa-sha2-256`),
		all: names(`ssh-ed25519 ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com sk-ssh-ed25519-cert-v01@openssh.com
			ssh-mldsa44-ed25519@openssh.com ssh-mldsa44-ed25519-cert-v01@openssh.com
			ecdsa-sha2-nistp256 ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384 ecdsa-sha2-nistp384-cert-v01@openssh.com
			ecdsa-sha2-nistp521 ecdsa-sha2-nistp521-cert-v01@openssh.com sk-ecdsa-sha2-nistp256@openssh.com
			sk-ecdsa-sha2-nistp256-cert-v01@openssh.com webauthn-sk-ecdsa-sha2-nistp256@openssh.com
			webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com ssh-dss ssh-dss-cert-v01@openssh.com ssh-rsa ssh-rsa-cert-v01@openssh.com
			rsa-sha2-256 rsa-sha2-256-cert-v01@openssh.com rsa-sha2-512 rsa-sha2-512-cert-v01@openssh.com`),
	}
	signatures := algorithmSet{all: keys.all}
	for _, k := range keys.standard {
		if !strings.Contains(k, "-cert-") {
			signatures.standard = append(signatures.standard, k)
		}
	}
	return algorithmTable{
		"kexalgorithms": {
			standard: names(`mlkem768x25519-sha256 sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com curve25519-sha256
				curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521
				diffie-hellman-group-exchange-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 diffie-hellman-group14-sha256`),
			all: names(`diffie-hellman-group1-sha1 diffie-hellman-group14-sha1 diffie-hellman-group14-sha256 diffie-hellman-group16-sha512
				diffie-hellman-group18-sha512 diffie-hellman-group-exchange-sha1 diffie-hellman-group-exchange-sha256 ecdh-sha2-nistp256
				ecdh-sha2-nistp384 ecdh-sha2-nistp521 mlkem768nistp256-sha256 curve25519-sha256 curve25519-sha256@libssh.org
				sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com mlkem768x25519-sha256`),
		},
		"ciphers": {
			standard: names(`chacha20-poly1305@openssh.com aes128-gcm@openssh.com aes256-gcm@openssh.com aes128-ctr aes192-ctr aes256-ctr`),
			all: names(`3des-cbc aes128-cbc aes192-cbc aes256-cbc aes128-ctr aes192-ctr aes256-ctr aes128-gcm@openssh.com
				aes256-gcm@openssh.com chacha20-poly1305@openssh.com`),
		},
		"macs": {
			standard: names(`umac-64-etm@openssh.com umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com
				hmac-sha1-etm@openssh.com umac-64@openssh.com umac-128@openssh.com hmac-sha2-256 hmac-sha2-512 hmac-sha1`),
			all: names(`hmac-sha1 hmac-sha1-96 hmac-sha2-256 hmac-sha2-512 hmac-md5 hmac-md5-96 umac-64@openssh.com umac-128@openssh.com
				hmac-sha1-etm@openssh.com hmac-sha1-96-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com
				hmac-md5-etm@openssh.com hmac-md5-96-etm@openssh.com umac-64-etm@openssh.com umac-128-etm@openssh.com`),
		},
		"hostkeyalgorithms": keys, "pubkeyacceptedalgorithms": keys, "hostbasedacceptedalgorithms": keys,
		"casignaturealgorithms": signatures,
	}
}()

func names(s string) []string { return strings.Fields(s) }

// algorithmNames checks that the names of a list exist: those of keys may be patterns, all may after a leading -.
func algorithmNames(l *line) error {
	arg, err := l.one()
	if err != nil || arg[0] == '-' {
		return err
	}
	list := strings.TrimLeft(arg[:1], "+^") + arg[1:]
	if list == "" {
		return fmt.Errorf("%q names no algorithm", arg)
	}
	set := openssh[l.key]
	for name := range strings.SplitSeq(list, ",") {
		if name == "" {
			break // where OpenSSH stops looking, too
		}
		wild := l.key != "kexalgorithms" && l.key != "ciphers" && l.key != "macs" &&
			slices.ContainsFunc(set.all, func(a string) bool { return matchList(a, name, false) != 0 })
		if !wild && !slices.Contains(set.all, name) {
			return fmt.Errorf("%q is no algorithm that OpenSSH knows", name)
		}
	}
	return nil
}

// assemble applies a list with its leading +, - or ^ to the standard one (kex-names.c, kex_assemble_names).
func (s algorithmSet) assemble(list string) ([]string, error) {
	var want []string
	switch list[0] {
	case '+':
		want = append(slices.Clone(s.standard), strings.Split(list[1:], ",")...)
	case '-':
		return slices.DeleteFunc(slices.Clone(s.standard), func(a string) bool { return matchList(a, list[1:], false) == 1 }), nil
	case '^':
		want = append(strings.Split(list[1:], ","), s.standard...)
	default:
		want = strings.Split(list, ",")
	}
	var out []string
	for _, pattern := range want {
		if strings.HasPrefix(pattern, "!") {
			return nil, errors.New("a negated name has no meaning here")
		}
		for _, a := range s.all {
			if matchList(a, pattern, false) == 1 && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no algorithm is left")
	}
	return out, nil
}
