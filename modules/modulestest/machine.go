package modulestest

import (
	"context"
	"errors"
	"path"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// machineFiles are the files of a small machine that the modules of the system look at.
var machineFiles = map[string]string{
	"/etc/passwd":                    "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
	"/etc/group":                     "root:x:0:\ndaemon:x:1:\nadm:x:4:\nsudo:x:27:\n",
	"/etc/shadow":                    "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
	"/etc/gshadow":                   "root:*::\ndaemon:*::\nadm:*::\nsudo:*::\n",
	"/etc/login.defs":                "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\nUMASK 022\n",
	"/etc/hosts":                     "127.0.0.1 localhost\n::1 localhost ip6-localhost # loopback\n\n# the lab\n10.0.0.9\tlast\n",
	"/etc/hostname":                  "machine\n",
	"/etc/skel/.profile":             "# profile\n",
	"/etc/skel/.d/x":                 "x\n",
	"/etc/resolv.conf":               "# made by hand\nsearch lab\nnameserver 10.0.0.1\noptions ndots:2\n",
	"/etc/modules-load.d/other.conf": "# more\nloop\ndummy\n",
	"/etc/cron.d/other":              "0 4 * * * root /bin/other\n",
	"/etc/sudoers.d/user":            "",
}

// machineDirs are its directories that may be empty.
var machineDirs = []string{"/home", "/root", "/var/spool/cron/crontabs", "/etc/sudoers.d", "/etc/modules-load.d", "/etc/modprobe.d", "/run"}

// OnMachine opens a memory host with the files of a small machine.
func OnMachine(t testing.TB) Target {
	t.Helper()
	s := &host.Snapshot{Files: map[string]host.FileState{}, Facts: host.Facts{User: "root"}, Packages: map[string]string{"base": "1"},
		KernelModules: []host.KernelModule{{Name: "dummy", Available: true, Depends: []string{"dep"}}, {Name: "fixed", Builtin: true}},
		Services:      []host.Service{{Name: "lab-svc", Running: new(bool), Enabled: new(bool), Masked: new(bool)}},
		NetNS:         map[string]*host.NetState{"": {Sysctls: map[string]string{"kernel.hostname": "machine"}}}}
	for _, top := range []string{"/etc", "/home", "/root", "/var", "/usr", "/lib", "/run", "/sys", "/lab", "/srv", "/nonexistent"} {
		s.Files[top] = host.FileState{File: host.File{Path: top, Type: host.Absent}}
	}
	h := memory.FromSnapshot(s)
	if err := h.Files().Mkdir(t.Context(), "/lab", host.FileAttrs{}, false); err != nil {
		t.Fatal(err)
	}
	if err := Furnish(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	return Target{Host: h, Dir: "/lab", Writes: h.Writes}
}

// Furnish makes the directories and files of the machine; what is there and is called so gets their content.
func Furnish(ctx context.Context, h host.Host) error {
	for _, dir := range machineDirs {
		if err := makeDir(ctx, h, dir); err != nil {
			return err
		}
	}
	for p, text := range machineFiles {
		if err := makeDir(ctx, h, path.Dir(p)); err != nil {
			return err
		}
		if err := h.Files().Write(ctx, p, host.Content{Inline: []byte(text), Size: int64(len(text))}, host.FileAttrs{}); err != nil {
			return err
		}
	}
	return nil
}

func makeDir(ctx context.Context, h host.Host, dir string) error {
	err := h.Files().Mkdir(ctx, dir, host.FileAttrs{}, true)
	if errors.Is(err, host.ErrExist) {
		return nil
	}
	return err
}
