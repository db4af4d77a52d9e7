package modules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[KernelModule]{
		Name: "kernel_module",
		Doc:  "Loads a module of the kernel, now and at boot (modules-load.d(5)). One that is part of the kernel itself counts as loaded. ensure = \"absent\" unloads it.",
		Example: `kernel_module "8021q" {}
kernel_module "bonding" { options = { max_bonds = "0" } }
`,
		Validate: (*KernelModule).validate, Read: readKernelModule, ReadAbsent: readKernelModuleAbsent, Apply: applyKernelModule,
	})
}

// KernelModule is a module of the kernel.
type KernelModule struct {
	Name    string            `json:"name" lab:"key" doc:"Name of the module; hyphens and underscores are the same."`
	Loaded  bool              `json:"loaded,omitempty" lab:"derived" doc:"Whether it is loaded, or part of the kernel."`
	Persist *bool             `json:"persist,omitempty" default:"true" doc:"Whether it is loaded at boot, by a line in a file of /etc/modules-load.d. What is part of the kernel needs none."`
	Options map[string]string `json:"options,omitempty" doc:"Its parameters, kept in /etc/modprobe.d/NAME.conf: they count when it is loaded the next time. Left alone if unset."`
}

const (
	loadDir   = "/etc/modules-load.d"
	optionDir = "/etc/modprobe.d"
)

func (m *KernelModule) validate() error {
	m.Name = strings.ReplaceAll(m.Name, "-", "_")
	if m.Name == "" || strings.ContainsAny(m.Name, "/. \t\n\x00*?[") {
		return argf("name", "%q is not the name of a kernel module", m.Name)
	}
	if m.Persist == nil {
		m.Persist = ptr(true)
	}
	for k, v := range m.Options {
		if k == "" || strings.ContainsAny(k+v, "\n\x00\"") || strings.ContainsAny(k, " \t=") {
			return argf("options", "%q = %q is not a parameter", k, v)
		}
	}
	return nil
}

func (m *KernelModule) loadFile() string   { return path.Join(loadDir, m.Name+".conf") }
func (m *KernelModule) optionFile() string { return path.Join(optionDir, m.Name+".conf") }

// optionLine is what modprobe.d(5) says of options.
func (m *KernelModule) optionLine() string {
	line := "options " + m.Name
	for _, k := range slices.Sorted(maps.Keys(m.Options)) {
		line += " " + k
		switch v := m.Options[k]; {
		case strings.ContainsAny(v, " \t"):
			line += `="` + v + `"`
		case v != "":
			line += "=" + v
		}
	}
	return line
}

func readKernelModule(ctx context.Context, h host.Host, want *KernelModule) (*KernelModule, error) {
	m, err := h.KernelModules().Get(ctx, want.Name)
	switch {
	case err != nil:
		return nil, err
	case m.Builtin && len(want.Options) > 0:
		return nil, argf("options", "%s is part of the kernel itself: its parameters are given on the kernel's command line", want.Name)
	case !m.Builtin && !m.Loaded && !m.Available:
		return nil, &host.Error{Op: "find kernel module", Object: want.Name, Kind: host.ErrNotExist,
			Err: errors.New("the running kernel has none of that name: it is in another package, or was not built")}
	}
	want.Loaded = true
	have := &KernelModule{Name: want.Name, Loaded: m.Loaded || m.Builtin}
	have.Persist, err = loadedAtBoot(ctx, h, want.Name)
	if m.Builtin {
		have.Persist = want.Persist
	}
	if err == nil && want.Options != nil {
		have.Options, err = want.optionsThere(ctx, h)
	}
	return have, err
}

// optionsThere returns the wanted options if they are what the file says, or those that the file has.
func (m *KernelModule) optionsThere(ctx context.Context, h host.Host) (map[string]string, error) {
	lines, err := fileLines(ctx, h, m.optionFile())
	out := map[string]string{}
	for _, l := range lines {
		if l == m.optionLine() {
			return m.Options, err
		}
		if f := strings.Fields(l); len(f) > 2 && f[0] == "options" && f[1] == m.Name {
			for _, one := range f[2:] {
				k, v, _ := strings.Cut(one, "=")
				out[k] = v
			}
		}
	}
	return out, err
}

// loadFiles returns the files that name modules to load at boot: those of systemd, and /etc/modules of modules(5).
func loadFiles(ctx context.Context, h host.Host) ([]string, error) {
	names, err := h.Files().List(ctx, loadDir)
	if err != nil && !errors.Is(err, host.ErrNotExist) {
		return nil, err
	}
	files := []string{"/etc/modules"}
	for _, n := range names {
		if strings.HasSuffix(n, ".conf") {
			files = append(files, path.Join(loadDir, n))
		}
	}
	return files, nil
}

func names(line, module string) bool {
	f := strings.Fields(line)
	return len(f) > 0 && strings.ReplaceAll(f[0], "-", "_") == module
}

func loadedAtBoot(ctx context.Context, h host.Host, module string) (*bool, error) {
	files, err := loadFiles(ctx, h)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		lines, err := fileLines(ctx, h, f)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(lines, func(l string) bool { return names(l, module) }) {
			return ptr(true), nil
		}
	}
	return ptr(false), nil
}

// readKernelModuleAbsent returns nil when nothing of the module is left: it is not loaded, and no file of ours or line loads it.
func readKernelModuleAbsent(ctx context.Context, h host.Host, want *KernelModule) (*KernelModule, error) {
	m, err := h.KernelModules().Get(ctx, want.Name)
	if err != nil {
		return nil, err
	}
	if m.Builtin {
		return nil, argf("ensure", "%s is part of the kernel itself and cannot be unloaded", want.Name)
	}
	have := &KernelModule{Name: want.Name, Loaded: m.Loaded}
	if have.Persist, err = loadedAtBoot(ctx, h, want.Name); err != nil {
		return nil, err
	}
	have.Options, err = want.optionsThere(ctx, h)
	if err != nil || m.Loaded || *have.Persist || len(have.Options) > 0 {
		return have, err
	}
	return nil, nil
}

func applyKernelModule(ctx context.Context, h host.Host, have, want *KernelModule, d Diff) error {
	if want == nil {
		want = &KernelModule{Name: have.Name, Persist: ptr(false), Options: map[string]string{}}
	}
	if err := applyOptions(ctx, h, have, want, d); err != nil {
		return err
	}
	if have.Loaded != want.Loaded {
		do := h.KernelModules().Load
		if have.Loaded {
			do = h.KernelModules().Unload
		}
		if err := do(ctx, want.Name); err != nil {
			return err
		}
	}
	if *have.Persist == *want.Persist {
		return nil
	}
	if *want.Persist {
		return putIn(ctx, h, loadDir, want.loadFile(), want.Name)
	}
	return dropLines(ctx, h, want)
}

// applyOptions comes before loading, which reads them.
func applyOptions(ctx context.Context, h host.Host, have, want *KernelModule, d Diff) error {
	switch {
	case want.Options == nil:
		return nil
	case len(want.Options) == 0 && len(have.Options) > 0:
		return h.Files().Remove(ctx, want.optionFile(), false)
	case d.Has("options"):
		return putIn(ctx, h, optionDir, want.optionFile(), want.optionLine())
	}
	return nil
}

// putIn writes a file of one line, in a directory that may be missing.
func putIn(ctx context.Context, h host.Host, dir, file, line string) error {
	if err := h.Files().Mkdir(ctx, dir, host.FileAttrs{}, true); err != nil && !errors.Is(err, host.ErrExist) {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	return putLines(ctx, h, file, []string{line}, host.FileAttrs{})
}

// dropLines takes the module out of the files that load it, and its own file away.
func dropLines(ctx context.Context, h host.Host, m *KernelModule) error {
	files, err := loadFiles(ctx, h)
	if err != nil {
		return err
	}
	for _, f := range files {
		lines, err := fileLines(ctx, h, f)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return names(l, m.Name) })
		switch {
		case len(left) == len(lines):
			continue
		case len(left) == 0 && f == m.loadFile():
			err = h.Files().Remove(ctx, f, false)
		default:
			err = putLines(ctx, h, f, left, host.FileAttrs{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
