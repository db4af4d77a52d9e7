package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// sshFlags are the options of ssh(1) that take no argument, and the keyword each stands for; "" for what has no meaning to
// a program that runs its own session.
var sshFlags = map[byte]string{
	'4': "AddressFamily=inet", '6': "AddressFamily=inet6", 'A': "ForwardAgent=yes", 'a': "ForwardAgent=no", 'C': "Compression=yes",
	'K': "GSSAPIAuthentication=yes", 'k': "GSSAPIDelegateCredentials=no", 'X': "", 'x': "", 'Y': "", 'q': "", 'T': "", 't': "", 'n': "", 'v': "",
}

// sshOptions are those that take one, and the keyword that has it.
var sshOptions = map[byte]string{
	'b': "BindAddress", 'B': "BindInterface", 'c': "Ciphers", 'I': "PKCS11Provider", 'J': "ProxyJump", 'm': "MACs",
	'S': "ControlPath", 'E': "", 'e': "",
}

// ParseSSHArgs reads arguments as they are given to ssh(1), in one string with a shell's quotes, such as Ansible's
// ansible_ssh_common_args.
func ParseSSHArgs(s string) (SSH, error) {
	var out SSH
	words, err := SplitWords(s)
	if err != nil {
		return out, err
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		if len(w) < 2 || w[0] != '-' || w[1] == '-' {
			return out, fmt.Errorf("%q is not an option of ssh(1)", w)
		}
		for j := 1; j < len(w); j++ {
			c := w[j]
			if keyword, ok := sshFlags[c]; ok {
				if keyword != "" {
					out.Options = append(out.Options, keyword)
				}
				continue
			}
			value := w[j+1:]
			if value == "" {
				if i++; i == len(words) {
					return out, fmt.Errorf("-%c of ssh(1) lacks its argument", c)
				}
				value = words[i]
			}
			if err := out.option(c, value); err != nil {
				return out, err
			}
			break
		}
	}
	return out, nil
}

// option reads one option that has an argument.
func (s *SSH) option(c byte, value string) error {
	switch c {
	case 'o':
		keyword, arg := splitOption(value)
		if keyword == "" || arg == "" {
			return fmt.Errorf("-o %s: it is Keyword=value", value)
		}
		s.Options = append(s.Options, keyword+"="+arg)
	case 'i':
		s.IdentityFiles = append(s.IdentityFiles, value)
	case 'l':
		fill(&s.User, value)
	case 'p':
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("-p %s: a port is a number from 1 to 65535", value)
		}
		fill(&s.Port, int(n))
	case 'F':
		fill(&s.ConfigFile, value)
	case 'W', 'L', 'R', 'D', 'O', 'Q', 'w':
		return fmt.Errorf("-%c of ssh(1) has no use in the settings of a host", c)
	default:
		keyword, ok := sshOptions[c]
		if !ok {
			return fmt.Errorf("ssh(1) has no option -%c", c)
		}
		if keyword != "" {
			s.Options = append(s.Options, keyword+"="+value)
		}
	}
	return nil
}

// splitOption cuts "Keyword=value", "Keyword = value" and "Keyword value" as ssh(1) does for -o.
func splitOption(s string) (keyword, value string) {
	s = strings.TrimLeft(s, " \t")
	i := strings.IndexAny(s, " \t=")
	if i < 0 {
		return s, ""
	}
	rest := strings.TrimLeft(s[i:], " \t")
	if strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], " \t")
	}
	return s[:i], strings.TrimRight(rest, " \t")
}

// SplitWords splits as a POSIX shell does that expands nothing. With an error come the words so far, an
// unfinished one included.
func SplitWords(s string) ([]string, error) {
	var out []string
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && quote != '\'':
			if i++; i == len(s) {
				return append(out, word.String()), errors.New("a backslash at the end escapes nothing")
			}
			if quote == '"' && s[i] != '"' && s[i] != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(s[i])
			in = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, in = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			if in {
				out = append(out, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return append(out, word.String()), errors.New("a closing quote is missing")
	}
	if in {
		out = append(out, word.String())
	}
	return out, nil
}
