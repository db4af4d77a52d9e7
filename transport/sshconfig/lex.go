package sshconfig

import (
	"errors"
	"strings"
)

const whitespace = " \t\r\n"

// splitLine takes a line apart as OpenSSH does (readconf.c, process_config_line_depth): the keyword in lower case and what
// follows it. An empty keyword is a line that says nothing.
func splitLine(text string) (key, rest string) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i] // where a string of C ends
	}
	for len(text) > 1 && strings.IndexByte(whitespace+"\f", text[len(text)-1]) >= 0 {
		text = text[:len(text)-1]
	}
	key, rest, ok := strdelim(text)
	if ok && key == "" { // leading white space
		key, rest, _ = strdelim(rest)
	}
	if key == "" || key[0] == '#' {
		return "", ""
	}
	return lowerASCII(key), strings.TrimLeft(rest, whitespace)
}

// strdelim is the function of that name in misc.c: the first word of s ends at white space, at a quotation mark or at one
// equals sign. A quote that is not closed makes the line say nothing.
func strdelim(s string) (word, rest string, ok bool) {
	i := strings.IndexAny(s, whitespace+`"=`)
	if i < 0 {
		return s, "", s != ""
	}
	if s[i] == '"' {
		before, quoted := s[:i], s[i+1:]
		end := strings.IndexByte(quoted, '"')
		if end < 0 {
			return "", "", false
		}
		return before + quoted[:end], strings.TrimLeft(quoted[end+1:], whitespace), true
	}
	word, rest = s[:i], strings.TrimLeft(s[i+1:], whitespace)
	if s[i] != '=' && strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], whitespace)
	}
	return word, rest, true
}

// errQuotes is what OpenSSH says of a quote that is not closed.
var errQuotes = errors.New("invalid quotes: one is not closed")

// argvSplit splits arguments as OpenSSH's argv_split does: single and double quotes group, a backslash keeps a quote, a
// backslash or, outside of quotes, a blank; # begins a comment where a word would begin.
func argvSplit(s string) ([]string, error) {
	var args []string
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		if s[i] == '#' {
			break
		}
		word, n, err := argvWord(s[i:])
		if err != nil {
			return nil, err
		}
		args = append(args, word)
		i += n
	}
	return args, nil
}

func argvWord(s string) (word string, length int, err error) {
	var b strings.Builder
	quote := byte(0)
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
			i++
			b.WriteByte(s[i])
		case c == '\\':
			b.WriteByte(c)
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), i, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", 0, errQuotes
	}
	return b.String(), i, nil
}
