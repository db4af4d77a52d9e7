package modules

import (
	"context"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Service]{
		Name: "service",
		Doc: "Manages a service of the init system that runs: systemd, OpenRC or, where neither does, the scripts in /etc/init.d, as in a host of the sandbox. " +
			"systemd tells of every unit whether it runs, is enabled and is masked. OpenRC tells whether a service runs, which one that has crashed does not, and is in a runlevel. " +
			"A script tells with its action status whether it runs, and is enabled by links in /etc/rc2.d to rc5.d and rcS.d; of one that has no such action, or does not know, " +
			"running cannot be managed, but it can be restarted. " +
			"In a plan, what is not there yet is taken to come with the packages that are to be installed before.",
		Example: `package "nginx" {}
service "nginx" {
  running = true
  enabled = true
}
handler "restart nginx" {
  service "nginx" { restarted = true }
}
`,
		Validate: (*Service).validate, Complete: (*Service).complete, Read: readService, ReadAbsent: readServiceAbsent, Apply: applyService,
	})
}

// Service is a service. It comes and goes with its package or its file.
type Service struct {
	Name         string `json:"name" lab:"key" doc:"Name of the service; of systemd also of another unit, with its suffix, such as fstrim.timer."`
	Running      *bool  `json:"running,omitempty" doc:"Whether it runs; left alone if unset."`
	Enabled      *bool  `json:"enabled,omitempty" doc:"Whether it is started at boot; left alone if unset."`
	Masked       *bool  `json:"masked,omitempty" doc:"Whether it cannot be started, by nobody, as systemctl(1) mask; left alone if unset. Only systemd can."`
	Restarted    bool   `json:"restarted,omitempty" doc:"Restart it, each time: for handlers. What does not run is started."`
	Reloaded     bool   `json:"reloaded,omitempty" doc:"Have it read its configuration again, each time: for handlers. What does not run is started."`
	DaemonReload bool   `json:"daemon_reload,omitempty" doc:"Have systemd read its files again, if that of this service has changed since."`

	done bool // what is done each time
}

func (s *Service) validate() error {
	if s.Name == "" || s.Name[0] == '-' || strings.ContainsAny(s.Name, "/ \t\n*?[\x00") {
		return argf("name", "%q is not the name of a service", s.Name)
	}
	on := func(b *bool) bool { return b != nil && *b }
	switch {
	case s.Restarted && s.Reloaded:
		return argf("reloaded", "what is restarted has read its configuration again")
	case (s.Restarted || s.Reloaded) && s.Running != nil && !*s.Running:
		return argf("running", "what is restarted or reloaded runs")
	case on(s.Masked) && (on(s.Running) || s.Restarted || s.Reloaded):
		return argf("masked", "what is masked cannot be started")
	case on(s.Masked) && s.Enabled != nil:
		return argf("masked", "what is masked can be neither enabled nor disabled")
	}
	return nil
}

func (s *Service) complete() error {
	if s.Running == nil && s.Enabled == nil && s.Masked == nil && !s.Restarted && !s.Reloaded && !s.DaemonReload {
		return argf("running", "says nothing: write running, enabled, masked, restarted, reloaded or daemon_reload")
	}
	return nil
}

func readServiceAbsent(context.Context, host.Host, *Service) (*Service, error) {
	return nil, argf("ensure", "a service goes with its package or its file: write running = false and enabled = false")
}

func readService(ctx context.Context, h host.Host, want *Service) (*Service, error) {
	there, err := h.Services().Get(ctx, want.Name)
	if err != nil {
		return nil, err
	}
	if want.Masked != nil && there.Masked == nil && !there.Planned {
		return nil, argf("masked", "only systemd masks services, and another init system runs here")
	}
	if want.Running != nil && there.Running == nil && !there.Planned {
		return nil, argf("running", "the script of %s does not tell whether it runs: leave running out, and write restarted where it is to be started", want.Name)
	}
	if want.Enabled != nil && there.Static {
		return nil, argf("enabled", "%s can be neither enabled nor disabled: its file does not say what starts it ([Install])", want.Name)
	}
	have := &Service{Name: want.Name, Running: there.Running, Enabled: there.Enabled, Masked: there.Masked, DaemonReload: want.DaemonReload && !there.Stale}
	if want.done {
		have.Restarted, have.Reloaded = want.Restarted, want.Reloaded
	}
	return have, nil
}

func applyService(ctx context.Context, h host.Host, have, want *Service, d Diff) error {
	if d.Has("daemon_reload") {
		if err := h.Services().Act(ctx, host.DaemonReload, want.Name); err != nil {
			return err
		}
	}
	set := host.Service{Name: want.Name}
	for path, v := range map[string][2]**bool{"running": {&set.Running, &want.Running}, "enabled": {&set.Enabled, &want.Enabled}, "masked": {&set.Masked, &want.Masked}} {
		if d.Has(path) {
			*v[0] = *v[1]
		}
	}
	runs := have.Running == nil || *have.Running // what does not tell is restarted, which starts it, too
	if !runs && (want.Restarted || want.Reloaded) {
		set.Running = ptr(true)
	}
	if set != (host.Service{Name: want.Name}) {
		if err := h.Services().Set(ctx, set); err != nil {
			return err
		}
	}
	want.done = true
	switch {
	case runs && want.Restarted:
		return h.Services().Act(ctx, host.Restart, want.Name)
	case runs && want.Reloaded:
		return h.Services().Act(ctx, host.Reload, want.Name)
	}
	return nil
}
