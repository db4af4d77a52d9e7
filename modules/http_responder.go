package modules

import (
	"context"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[HTTPResponder]{
		Name: "http_responder",
		Doc:  "Keeps a web server running that gives one answer to whatever it is asked: something to reach, for labs and tests. It is the agent itself, needs nothing on the machine, and lives on when labctl is done. With ensure = \"absent\" it is ended.",
		Example: `http_responder "hello" {
  netns = "boxA"
  port  = 8800
  body  = "<html><body><p>Hello!</p></body></html>"
}
`,
		Validate: (*HTTPResponder).validate, Read: readResponder, Apply: applyResponder,
	})
}

// HTTPResponder is a web server that gives one answer.
type HTTPResponder struct {
	Name    string `json:"name" lab:"key" doc:"Name of the server, of any text without /."`
	Port    *int   `json:"port,omitempty" lab:"required,immutable" doc:"TCP port."`
	Address string `json:"address,omitempty" lab:"immutable,exact" doc:"Address to listen on; all if unset."`
	Status  *int   `json:"status,omitempty" lab:"immutable" default:"200" doc:"Status code of the answer."`
	Body    string `json:"body,omitempty" lab:"immutable,exact" doc:"Body of the answer, up to 64 KiB."`
	InOwnNetNS
	PID *int `json:"pid,omitempty" lab:"computed,made_up" doc:"Process ID."`
}

// responderPrefix begins the names of these processes, which no process of module process can have.
const responderPrefix = ".http_responder "

func (r *HTTPResponder) validate() error {
	if r.Status == nil {
		r.Status = ptr(200)
	}
	if strings.ContainsAny(r.Name, "/\x00") || len(r.Name) > 200 {
		return argf("name", "%q cannot be the name of a server: it names a file, too", r.Name)
	}
	if len(r.Body) > 64<<10 {
		return argf("body", "longer than 64 KiB")
	}
	if r.Address != "" {
		if err := validIP("address", &r.Address); err != nil {
			return err
		}
	}
	return firstFault(inRange("port", r.Port, 1, 65535), inRange("status", r.Status, 200, 599))
}

func readResponder(ctx context.Context, h host.Host, want *HTTPResponder) (*HTTPResponder, error) {
	p, err := getProcess(ctx, h, responderPrefix+want.Name)
	if p == nil || err != nil || p.Responder == nil {
		return nil, err
	}
	r := p.Responder
	return &HTTPResponder{Name: want.Name, Port: &r.Port, Address: r.Address, Status: &r.Status, Body: r.Body, InOwnNetNS: InOwnNetNS{p.NetNS}, PID: &p.PID}, nil
}

func applyResponder(ctx context.Context, h host.Host, have, want *HTTPResponder, _ Diff) error {
	if want == nil {
		return h.Processes().Stop(ctx, responderPrefix+have.Name)
	}
	p := host.Process{Name: responderPrefix + want.Name, NetNS: want.NetNS,
		Responder: &host.Responder{Address: want.Address, Port: *want.Port, Status: *want.Status, Body: want.Body}}
	if err := h.Processes().Start(ctx, p); err != nil {
		return err
	}
	return awaitPort(ctx, h, p, *want.Port, 10*time.Second)
}
