package modulestest

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

// ServiceSuite tries service on a machine that has the service lab-svc; masks too where the init system has them.
func ServiceSuite(masks bool) Suite {
	s := Suite{Module: "service", Only: true, Compare: sameService, States: states("service", `{"name":"lab-svc","running":true}`, `{"name":"lab-svc","running":false}`,
		`{"name":"lab-svc","enabled":true}`, `{"name":"lab-svc","enabled":false,"running":true}`, `{"name":"lab-svc","enabled":true,"running":false}`, `{"name":"lab-svc","daemon_reload":true,"running":true}`),
		Rejects: []Reject{{`{"name":"a b","running":true}`, "name"}, {`{"name":"a"}`, "running"}, {`{"name":"a","restarted":true,"reloaded":true}`, "reloaded"},
			{`{"name":"a","running":false,"restarted":true}`, "running"}, {`{"name":"a","masked":true,"running":true}`, "masked"}, {`{"name":"a","masked":true,"enabled":true}`, "masked"}}}
	if masks {
		s.Name, s.Steps = "service with masks", 15 // systemd takes its time
		for i, c := range s.States {               // what is to be started must not be masked
			s.States[i].Params = append(c.Params[:len(c.Params)-1:len(c.Params)-1], `,"masked":false}`...)
		}
		s.States = append(s.States, states("service", `{"name":"lab-svc","masked":true}`, `{"name":"lab-svc","masked":true,"running":false}`, `{"name":"lab-svc","masked":false}`)...)
	}
	return s
}

func sameService(ctx context.Context, model, real host.Host) string {
	text := func(h host.Host) string {
		s, err := h.Services().Get(ctx, "lab-svc")
		out := fmt.Sprint(err)
		for _, v := range []*bool{s.Running, s.Enabled, s.Masked} {
			out += fmt.Sprint(" ", v != nil && *v)
		}
		return out
	}
	if a, b := text(model), text(real); a != b {
		return "model: " + a + "\nhost:  " + b
	}
	return ""
}
