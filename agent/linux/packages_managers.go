package linux

import (
	"context"
	"os"
	"strings"
	"sync"
)

// packageCache is what was last read of the database of packages.
type packageCache struct {
	mu    sync.Mutex
	stamp string
	installed
}

func (c *packageCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stamp = ""
}

// apt answers no questions and keeps configuration files that have been changed (dpkg(1)); a list that cannot be fetched is an
// error (apt.conf(5)), and so is a lock that is not free within ten minutes: a new machine upgrades itself first.
var apt = manager{
	tool: "apt-get", database: "/var/lib/dpkg/status", lists: "/var/lib/apt/lists/*_*", lock: "/var/lib/apt/lists/lock",
	always: []string{"-q", "-y", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"},
	update: []string{"update", "-o", "APT::Update::Error-Mode=any"}, install: []string{"install"}, upgrade: []string{"install", "--only-upgrade"}, remove: []string{"remove"},
	recommend: [2]string{"--no-install-recommends", "--install-recommends"}, version: "=", older: "--allow-downgrades",
	installed: stanzas, candidates: aptCandidates,
}

// apk has no recommended packages.
var apk = manager{
	tool: "apk", database: "/lib/apk/db/installed", lists: "/var/cache/apk/APKINDEX.*",
	always: []string{"--no-interactive", "--wait", "600"},
	update: []string{"update"}, install: []string{"add"}, upgrade: []string{"add", "-u"}, remove: []string{"del"}, version: "=",
	installed: stanzas, candidates: apkCandidates,
}

const rpmDatabase = "/*/lib/*/rpmdb.sqlite*" // /var/lib/rpm, or /usr/lib/sysimage/rpm

var dnf = manager{
	tool: "dnf", database: rpmDatabase, lists: "/var/cache/*dnf*/*/repodata/repomd.xml",
	always: []string{"-y", "-q"}, update: []string{"makecache", "--refresh"}, install: []string{"install"}, upgrade: []string{"upgrade"}, remove: []string{"remove"},
	recommend: [2]string{"--setopt=install_weak_deps=0", "--setopt=install_weak_deps=1"}, version: "-",
	installed: rpmInstalled, candidates: dnfCandidates,
}

var zypper = manager{
	tool: "zypper", database: rpmDatabase, lists: "/var/cache/zypp/solv/*/solv",
	always: []string{"-n", "-q"}, update: []string{"refresh"}, install: []string{"install", "-l"}, upgrade: []string{"update", "-l"}, remove: []string{"remove"},
	recommend: [2]string{"--no-recommends", "--recommends"}, version: "=", older: "--oldpackage",
	installed: rpmInstalled, candidates: zypperCandidates,
}

// stanzas reads the text that is the database of dpkg (deb-control(5), with Status) or of apk (apk-package(5)).
func stanzas(_ context.Context, h *Host, m *manager) (installed, error) {
	b, err := os.ReadFile(m.database)
	if err != nil {
		return installed{}, fileError("read", m.database, err)
	}
	out := installed{map[string]string{}, map[string]bool{}}
	for text := range strings.SplitSeq(string(b), "\n\n") {
		f := fields(text)
		name, version := f["Package"]+f["P"], f["Version"]+f["V"]
		if name == "" || f["Package"] != "" && !strings.HasSuffix(f["Status"], " installed") {
			continue
		}
		out.versions[name] = version
		if arch := f["Architecture"]; arch != "" {
			out.versions[name+":"+arch] = version
		}
		provide(out.provides, f["Provides"], ",")
		provide(out.provides, f["p"], " ")
	}
	return out, nil
}

// fields returns what a stanza says on lines of their own.
func fields(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && line[0] != ' ' {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// provide notes names, which may have versions: "name (= 1)", "name=1".
func provide(to map[string]bool, list, sep string) {
	for one := range strings.SplitSeq(list, sep) {
		one = strings.TrimSpace(one)
		if at := strings.IndexAny(one, " =<>~("); at > 0 {
			one = one[:at]
		}
		to[one] = true
	}
}
