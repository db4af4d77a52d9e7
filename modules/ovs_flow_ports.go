package modules

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"labctl/modules/host"
)

// portWords stand before a port in flows as they are written and as ovs-ofctl prints them.
var portWords = []string{"in_port=", "output:", "enqueue:", "output(port=", "in_port:"}

// numbered returns the lines of the task with numbers for the names of ports: ovs-ofctl parse-flows, which knows no bridge,
// takes no others.
func (f *OVSFlow) numbered(ctx context.Context, h host.Host, bridge host.OVSRow) ([]string, error) {
	lines := f.lines()
	var ports map[string]int
	for i, line := range lines {
		var err error
		lines[i], err = replacePorts(line, func(word string) (string, error) {
			if _, err := strconv.Atoi(word); err == nil || strings.Contains(word, "[") {
				return word, nil // a number, or a field that holds one
			}
			if ports == nil && bridge != nil {
				if ports, err = h.OVS().Ports(ctx, f.Bridge); err != nil {
					return "", err
				}
			}
			return f.number(ports, word)
		})
		if err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// reserved are the ports that OpenFlow has names for (ovs-ofctl(8)), in lower case.
const reserved = " in_port normal flood all controller local any unset none "

func (f *OVSFlow) number(ports map[string]int, word string) (string, error) {
	name := strings.Trim(word, `"`)
	n := ports[name]
	switch {
	case n == 0 && strings.Contains(reserved, " "+strings.ToLower(word)+" "):
		return word, nil
	case n == 0 && ports == nil:
		return "", &host.Error{Op: "add flow to", Object: f.Bridge, Kind: host.ErrNotExist, Err: errNoOVSBridge}
	case n == 0:
		return "", &host.Error{Op: "add flow to " + f.Bridge, Object: name, Kind: host.ErrNotExist,
			Err: errors.New("there is no such port on the bridge: an ovs_port task before this one can make it")}
	case n == 0xfffe:
		return "LOCAL", nil
	}
	if f.names == nil {
		f.names = map[int]string{}
	}
	f.names[n] = name
	return strconv.Itoa(n), nil
}

// named puts the names back that the task has: a plan does not know the numbers of new ports.
func (f *OVSFlow) named(text string) string {
	if len(f.names) == 0 {
		return text
	}
	out, _ := replacePorts(text, func(word string) (string, error) {
		n, err := strconv.Atoi(word)
		if name := f.names[n]; err == nil && name != "" {
			return name, nil
		}
		return word, nil
	})
	return out
}

// replacePorts replaces what stands where a port is meant.
func replacePorts(text string, by func(string) (string, error)) (string, error) {
	var out strings.Builder
	for text != "" {
		at, end := len(text), len(text)
		for _, w := range portWords {
			if i := strings.Index(text, w); i >= 0 && i < at {
				at, end = i, i+len(w)
			}
		}
		out.WriteString(text[:end])
		if text = text[end:]; at == end {
			break
		}
		n := strings.IndexAny(text, ",:) ")
		if n < 0 {
			n = len(text)
		}
		word, err := by(text[:n])
		if err != nil {
			return "", err
		}
		out.WriteString(word)
		text = text[n:]
	}
	return out.String(), nil
}
