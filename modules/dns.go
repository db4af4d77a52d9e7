package modules

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[DNS]{
		Name: "dns",
		Doc:  "Asks a name server, as dig(1) does: neither /etc/hosts nor nsswitch.conf(5) has a say.",
		Example: `dns "example.org" { server = "192.168.178.1" }
dns "www.example.org" {
  server  = "192.168.50.53:5353"
  type    = "AAAA"
  answers = ["2001:db8::80"]
}
dns "no-such-name.example.org" { expect = "nxdomain" }
`,
		Validate: (*DNS).validate, Probe: probeDNS,
	})
}

// DNS is a question to a name server.
type DNS struct {
	Name    string   `json:"name" lab:"key" doc:"Domain name; with type PTR also an address."`
	Server  string   `json:"server,omitempty" doc:"HOST or HOST:PORT, IPv6 addresses in brackets; if unset the first nameserver of /etc/resolv.conf, in a named netns of /etc/netns/NAME/resolv.conf."`
	Type    string   `json:"type,omitempty" enum:"A,AAAA,CNAME,MX,NS,PTR,SOA,SRV,TXT" default:"A" doc:"Type of the records asked for."`
	Expect  string   `json:"expect,omitempty" enum:"answer,nodata,nxdomain,fail" default:"answer" doc:"answer: there are such records. nodata: the name has none. nxdomain: there is no such name. fail: no answer, for these or other reasons."`
	Answers []string `json:"answers,omitempty" lab:"set" doc:"The records as zone files have them, names with a dot at the end: these and no others; any if unset."`
	TCP     bool     `json:"tcp,omitempty" lab:"option" doc:"Ask over TCP at once. Else it is UDP, and TCP for what does not fit."`
	Wait    string   `json:"wait,omitempty" lab:"option" default:"2s" doc:"How long to wait for an answer in each try."`
	InNetNS
	Deadline
	Records []string `json:"records,omitempty" lab:"computed" doc:"What the last try brought."`
}

func (d *DNS) validate() error {
	d.Expect, d.Type = cmp.Or(d.Expect, "answer"), cmp.Or(d.Type, "A")
	if d.Answers != nil && d.Expect != "answer" {
		return argf("answers", "go with expect = \"answer\" only")
	}
	if d.Type == "PTR" {
		d.Name = dnsReverse(d.Name)
	}
	if _, err := dnsQuery(0, d.Name, 1); err != nil {
		return argf("name", "%v", err)
	}
	slices.Sort(d.Answers)
	_, err := duration("wait", d.Wait, 0)
	_, err2 := duration("deadline", d.Deadline.Deadline, 0)
	if d.Server != "" && err == nil {
		err = validHostPort("server", dnsPort(d.Server))
	}
	return firstFault(err, err2)
}

// dnsPort adds the usual port to a server that has none.
func dnsPort(server string) string {
	if strings.Count(server, ":") > 1 && server[0] != '[' {
		server = "[" + server + "]"
	}
	if strings.HasSuffix(server, "]") || !strings.Contains(server, ":") {
		server += ":53"
	}
	return server
}

func probeDNS(ctx context.Context, h host.Host, want *DNS) (*DNS, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	out := *want
	var broken error
	err = want.until(ctx, func() error {
		var server, seen, why string
		if server, broken = want.server(ctx, h); broken != nil {
			return broken
		}
		if out.Records, seen, why, broken = want.ask(ctx, n.Probes(), server); broken != nil {
			return broken
		}
		switch {
		case seen == "answer" && want.Answers != nil && !slices.Equal(want.Answers, out.Records):
			why = fmt.Sprintf("expected %s, but the answer is %s", joinWords(want.Answers), joinWords(out.Records))
		case seen == want.Expect || want.Expect == "fail" && seen != "answer":
			return nil
		default:
			why = "expected " + want.Expect + ", but " + why
		}
		return fmt.Errorf("ask %s for %s of %s: %s", server, want.Type, want.Name, why)
	}, func(error) bool { return broken != nil })
	return &out, err
}

func (d *DNS) server(ctx context.Context, h host.Host) (string, error) {
	if d.Server != "" {
		return dnsPort(d.Server), nil
	}
	paths := []string{"/etc/resolv.conf"}
	if d.NetNS != "" && !strings.ContainsAny(d.NetNS, "/:") {
		paths = []string{"/etc/netns/" + d.NetNS + "/resolv.conf", paths[0]}
	}
	for _, path := range paths {
		text, err := h.Files().Read(ctx, path, 1<<20)
		if err != nil && !errors.Is(err, host.ErrNotExist) {
			return "", err
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
				return dnsPort(f[1]), nil
			}
		}
	}
	return "", fmt.Errorf("ask for %s: no nameserver in %s", d.Name, strings.Join(paths, " or "))
}

// ask makes one try. Seen is it in the words of expect, why in a sentence.
func (d *DNS) ask(ctx context.Context, p host.Probes, server string) (values []string, seen, why string, err error) {
	query, _ := dnsQuery(uint16(rand.Uint32()), d.Name, dnsTypes[d.Type]) // validated
	wait, _ := duration("", d.Wait, 2*time.Second)
	truncated, code := d.TCP, 0
	if !truncated {
		answer, r, err := p.UDP(ctx, server, query, host.PingOptions{Timeout: wait})
		if err != nil {
			return nil, "", "", err
		}
		if seen, why = datagram(answer, r); seen != "answer" {
			return nil, seen, why, nil
		}
		if values, code, truncated, err = dnsAnswer(query, answer); err != nil && !truncated {
			return nil, "fail", err.Error(), nil
		}
	}
	if truncated {
		answer, err := p.Exchange(ctx, server, append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...), func(b []byte) bool {
			return len(b) >= 2 && len(b)-2 >= int(binary.BigEndian.Uint16(b))
		}, wait)
		if err == nil {
			values, code, _, err = dnsAnswer(query, answer[min(2, len(answer)):])
		}
		if err != nil {
			return nil, "fail", err.Error(), nil
		}
	}
	slices.Sort(values)
	switch {
	case code == 3:
		return values, "nxdomain", dnsFaults[code], nil
	case code != 0:
		why = fmt.Sprintf("the server says error %d", code)
		if code < len(dnsFaults) {
			why = dnsFaults[code]
		}
		return values, "fail", why, nil
	case len(values) == 0:
		return nil, "nodata", "the name has no such records", nil
	}
	return values, "answer", "the answer is " + joinWords(values), nil
}
