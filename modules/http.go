package modules

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"labctl/modules/host"
)

func init() {
	Register(Spec[HTTP]{
		Name: "http",
		Doc:  "Checks that a web server answers, and with what.",
		Example: `http "http://172.16.0.1/" {
  status        = 200
  body_contains = "Welcome"
}
http "http://172.16.0.2/" {
  netns  = "web3"
  expect = "fail"
}
`,
		Validate: (*HTTP).validate, Probe: probeHTTP,
	})
}

// HTTP is a check by one GET. Redirects are answers, too, and not followed.
type HTTP struct {
	URL          string `json:"url" lab:"key" doc:"http://HOST[:PORT][/PATH]"`
	Expect       string `json:"expect,omitempty" enum:"ok,fail,refused,timeout,unreachable" default:"ok" doc:"ok: an answer as status and body_contains say. fail: anything else. refused, timeout, unreachable: no answer, for this reason, as in tcp."`
	Status       *int   `json:"status,omitempty" doc:"Status code of the answer; any from 200 to 399 if unset."`
	BodyContains string `json:"body_contains,omitempty" doc:"Text that the first 64 KiB of the body contain."`
	Wait         string `json:"wait,omitempty" lab:"option" default:"5s" doc:"How long to wait for the whole answer in each try."`
	InNetNS
	Deadline
	Code *int   `json:"code,omitempty" lab:"computed" doc:"Status code of the last answer."`
	Body string `json:"body,omitempty" lab:"computed" doc:"First 64 KiB of the last body."`
}

func (w *HTTP) validate() error {
	w.Expect = cmp.Or(w.Expect, "ok")
	if rest, ok := strings.CutPrefix(w.URL, "http://"); !ok || rest == "" || strings.ContainsAny(rest, " \t\r\n") || rest[0] == '/' {
		return argf("url", "%q is not http://HOST[:PORT][/PATH]", w.URL)
	}
	if w.Status != nil && (*w.Status < 100 || *w.Status > 599) {
		return argf("status", "%d is not between 100 and 599", *w.Status)
	}
	for name, s := range map[string]string{"wait": w.Wait, "deadline": w.Deadline.Deadline} {
		if _, err := duration(name, s, 0); err != nil {
			return err
		}
	}
	return nil
}

func probeHTTP(ctx context.Context, h host.Host, want *HTTP) (*HTTP, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	wait, err := duration("wait", want.Wait, 5*time.Second)
	if err != nil {
		return nil, err
	}
	out := *want
	err = want.until(ctx, func() error {
		code, body, err := n.Probes().HTTP(ctx, want.URL, wait)
		out.Code, out.Body = nil, ""
		if code != 0 {
			out.Code = &code
		}
		if utf8.Valid(body) {
			out.Body = string(body)
		}
		return want.judge(code, body, err)
	}, func(error) bool { return false })
	return &out, err
}

// judge compares what was seen with what was expected.
func (w *HTTP) judge(code int, body []byte, err error) error {
	what := "get " + w.URL
	switch {
	case w.Expect == "ok" && err != nil:
		return unexpected(what, w.NetNS, "an answer", err)
	case w.Expect == "ok":
		return w.wrong(what, code, body)
	case w.Expect == "fail" && (err != nil || w.wrong(what, code, body) != nil):
		return nil
	case w.Expect != "fail" && connection(err) == w.Expect:
		return nil
	case w.Expect == "fail":
		return fmt.Errorf("%s: expected it to fail, but it answers with status %d", what, code)
	}
	return unexpected(what, w.NetNS, w.Expect, err)
}

// wrong says what is not right with an answer; nil: nothing.
func (w *HTTP) wrong(what string, code int, body []byte) error {
	if w.Status != nil && code != *w.Status {
		return fmt.Errorf("%s: expected status %d, but it is %d", what, *w.Status, code)
	}
	if w.Status == nil && (code < 200 || code > 399) {
		return fmt.Errorf("%s: expected a status from 200 to 399, but it is %d", what, code)
	}
	if !strings.Contains(string(body), w.BodyContains) {
		return fmt.Errorf("%s: expected a body that contains %q, but it is %q", what, w.BodyContains, begin(string(body)))
	}
	return nil
}

func begin(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
