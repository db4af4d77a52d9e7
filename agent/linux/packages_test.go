package linux

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"
)

// needTools skips the test where a program is missing.
func needTools(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if lookTool(tool) != "" {
			continue
		}
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatalf("no %s: run .ci/setup", tool)
		}
		t.Skipf("no %s", tool)
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// onApt is a machine whose apt has the packages of modulestest.PackageSuite, built here, and no others.
func onApt(t testing.TB) modulestest.Target {
	t.Helper()
	needTools(t, "apt-get", "dpkg-deb")
	h := freshMachine(t)
	const repo = "/srv/repo"
	list := ""
	for _, version := range []string{"1.0-1", "2.0-1"} {
		for name, more := range map[string]string{"lab-one": "Recommends: lab-two\n", "lab-two": "Provides: lab-any\n"} {
			control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: lab <lab@lab>\n%sDescription: none\n", name, version, more)
			dir := "/srv/build/" + name
			writeFile(t, dir+"/DEBIAN/control", control)
			writeFile(t, dir+"/srv/"+name, version)
			file := name + "_" + version + ".deb"
			writeFile(t, repo+"/.keep", "")
			tool(t, "dpkg-deb", "--root-owner-group", "-b", dir, repo+"/"+file)
			b, err := os.ReadFile(repo + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			list += fmt.Sprintf("%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, file, len(b), sha256.Sum256(b))
		}
	}
	writeFile(t, repo+"/Packages", list)
	for _, glob := range []string{"/etc/apt/sources.list*", "/etc/apt/apt.conf.d/*", "/var/lib/apt/lists/*", "/var/lib/dpkg/info/*", "/var/cache/apt/*.bin"} {
		found, _ := filepath.Glob(glob)
		for _, f := range found {
			if err := os.RemoveAll(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	writeFile(t, "/var/lib/dpkg/status", "") // many packages take long to read
	writeFile(t, "/etc/apt/sources.list", "deb [trusted=yes] file:"+repo+" ./\n")
	return modulestest.Target{Host: h, Writes: h.Writes}
}

// updated has the lists fetched.
func updated(open func(testing.TB) modulestest.Target) func(testing.TB) modulestest.Target {
	return func(t testing.TB) modulestest.Target {
		tg := open(t)
		if err := tg.Host.Packages().Change(t.Context(), host.PackageChange{Update: true}); err != nil {
			t.Fatal(err)
		}
		return tg
	}
}

// TestPackagesOnApt runs the conformance suite with apt-get(8).
func TestPackagesOnApt(t *testing.T) {
	modulestest.Run(t, modulestest.PackageSuite(), updated(onApt))
}

func mustModule(t testing.TB, name string) modules.Module {
	t.Helper()
	m, err := modules.Default.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPackageLists: on a machine that has never fetched lists update_cache does, once; a plan takes the names on trust. Without it
// the plan fails as the play would.
func TestPackageLists(t *testing.T) {
	h := onApt(t).Host
	m := mustModule(t, "package")
	bare := benchCall("package", `{"name":"lab-one"}`)
	for name, on := range map[string]host.Host{"plan": memory.New(h), "play": h} {
		if _, err := m.Apply(t.Context(), on, bare); err == nil || !strings.Contains(err.Error(), "lab-one") {
			t.Errorf("%s without lists: %v", name, err)
		}
	}
	c := benchCall("package", `{"name":"lab-one","version":"1*","update_cache":true}`)
	for i, on := range []host.Host{memory.New(h), h} { // in this order: behind the play, the plan has nothing to do
		if r, err := m.Apply(t.Context(), on, c); err != nil || r.Diff.Action != modules.Create {
			t.Errorf("%s: %v, %v", []string{"plan", "play"}[i], r.Diff, err)
		}
	}
	got, err := h.Packages().Installed(t.Context(), []string{"lab-one", "lab-two", "lab-any", "lab-none"})
	if err != nil || got["lab-one"] != "1.0-1" || len(got) != 3 || got["lab-any"] != "" {
		t.Errorf("installed %v, %v", got, err)
	}
	if r, err := m.Apply(t.Context(), h, benchCall("package", `{"name":"lab-any"}`)); err != nil || r.Diff.Action != modules.None {
		t.Errorf("what is provided: %v, %v", r.Diff, err)
	}
	gone := benchCall("package", `{"name":"lab-nothing"}`)
	if _, err := m.Apply(t.Context(), memory.New(h), gone); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("plan of an unknown package: %v", err)
	}
}
