package linux

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"labctl/modules/host"
)

// Services returns those of systemd where it runs (sd_booted(3)), of OpenRC, or else the scripts in /etc/init.d.
func (h *Host) Services() host.Services {
	if st, err := os.Stat("/run/systemd/system"); err == nil && st.IsDir() && h.lookTool("systemctl") != "" {
		return systemd{h}
	}
	_, err := os.Stat("/run/openrc")
	return scripts{h, err == nil && h.lookTool("rc-service") != ""}
}

// tell runs a tool that changes a service.
func (h *Host) tell(ctx context.Context, op, name, tool string, args ...string) error {
	path := h.lookTool(tool)
	if path == "" {
		return &host.Error{Op: op, Object: name, Kind: host.ErrUnsupported, Err: fmt.Errorf("%s is not installed", tool)}
	}
	h.writes.Add(1)
	h.netfilterChanged() // it may be a firewall
	if _, err := runTool(ctx, path, "", args...); err != nil {
		return &host.Error{Op: op, Object: name, Kind: kind(err), Err: err}
	}
	return nil
}

func noService(name string) error {
	return &host.Error{Op: "read service", Object: name, Kind: host.ErrNotExist, Err: host.ErrNotExist}
}

// systemd is asked by systemctl(1) show, whose output is made to be read by programs.
type systemd struct{ h *Host }

// unit is name with the suffix of its kind.
func unit(name string) string {
	switch filepath.Ext(name) {
	case ".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap", ".slice", ".scope", ".device":
		return name
	}
	return name + ".service"
}

func (s systemd) Get(ctx context.Context, name string) (host.Service, error) {
	all, err := s.show(ctx, unit(name))
	if err == nil && len(all) == 0 {
		err = noService(name)
	}
	if err != nil {
		return host.Service{}, err
	}
	all[0].Name = name
	return all[0], nil
}

// show describes those of the units that exist, in their order.
func (s systemd) show(ctx context.Context, units ...string) ([]host.Service, error) {
	out, err := runTool(ctx, s.h.lookTool("systemctl"), "", append([]string{"show", "-p", "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload", "--"}, units...)...)
	if err != nil {
		return nil, fmt.Errorf("ask systemd: %w", err)
	}
	var all []host.Service
	for text := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		f := map[string]string{}
		for line := range strings.SplitSeq(text, "\n") {
			key, value, _ := strings.Cut(line, "=")
			f[key] = value
		}
		if f["Id"] != "" && f["LoadState"] != "not-found" {
			all = append(all, systemdService(f))
		}
	}
	return all, nil
}

// systemdService reads properties of org.freedesktop.systemd1(5). A masked unit says nothing of when it is started, but the links do; a
// generated one is a script, started by the links of sysvinit.
func systemdService(f map[string]string) host.Service {
	active, file := f["ActiveState"], f["UnitFileState"]
	running, masked := active == "active" || active == "reloading", f["LoadState"] == "masked"
	enabled := strings.HasPrefix(file, "enabled")
	switch {
	case masked:
		enabled = linked("/etc/systemd/system/*.*/" + f["Id"])
	case file == "generated":
		enabled = rcLinked(strings.TrimSuffix(f["Id"], ".service"))
	}
	return host.Service{Name: f["Id"], Running: &running, Enabled: &enabled, Masked: &masked, Stale: f["NeedDaemonReload"] == "yes",
		Static: slices.Contains([]string{"static", "indirect", "transient", "alias"}, file) || file == "" && !masked}
}

// Set unmasks first, since what is masked can be neither enabled nor started, and masks last.
func (s systemd) Set(ctx context.Context, want host.Service) error {
	for _, v := range []struct {
		value   *bool
		when    bool
		command string
	}{{want.Masked, false, "unmask"}, {want.Enabled, true, "enable"}, {want.Enabled, false, "disable"}, {want.Running, true, "start"}, {want.Running, false, "stop"}, {want.Masked, true, "mask"}} {
		if v.value != nil && *v.value == v.when {
			if err := s.Act(ctx, v.command, want.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s systemd) Act(ctx context.Context, action, name string) error {
	args := []string{action}
	if action != host.DaemonReload {
		args = append(args, "--", unit(name))
	}
	return s.h.tell(ctx, action, name, "systemctl", args...)
}

func (s systemd) List(ctx context.Context) ([]host.Service, error) {
	out, err := runTool(ctx, s.h.lookTool("systemctl"), "", "list-unit-files", "--type=service", "--no-legend", "--no-pager", "--plain")
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	var units []string
	for line := range strings.SplitSeq(out, "\n") {
		if f := strings.Fields(line); len(f) > 1 && !strings.Contains(f[0], "@.") && f[1] != "alias" {
			units = append(units, f[0])
		}
	}
	if len(units) == 0 {
		return nil, nil
	}
	all, err := s.show(ctx, units...)
	for i := range all {
		all[i].Name = strings.TrimSuffix(all[i].Name, ".service")
	}
	return all, err
}
