package linux

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labctl/modules"
	"labctl/modules/host"
	"labctl/modules/host/memory"

	"golang.org/x/sys/unix"
)

// anotherSession is a host that knows nothing of what was read before.
func anotherSession(t *testing.T) *Host {
	t.Helper()
	h := New()
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestBackendInUse(t *testing.T) {
	h := netfilterHost(t)
	def, err := h.defaultBackend(ctxOf(t), host.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	if x := openTables(t, h, host.IPv4, ""); x.Backend() != def {
		t.Errorf("in an empty namespace %s, not the default %s", x.Backend(), def)
	}
	tool(t, "iptables-legacy", "-A", "FORWARD", "-j", "DROP")
	h = anotherSession(t)
	if x := openTables(t, h, host.IPv4, ""); x.Backend() != host.BackendLegacy {
		t.Errorf("with legacy rules %s", x.Backend())
	}
	if x := openTables(t, h, host.IPv6, ""); x.Backend() != def {
		t.Errorf("IPv6 has no legacy rules, and gets %s", x.Backend())
	}
	tool(t, "iptables-nft", "-A", "FORWARD", "-j", "DROP")
	h = anotherSession(t)
	_, err = mustNet(t, h, "").Netfilter().IPTables(ctxOf(t), host.IPv4, "")
	if err == nil || !strings.Contains(err.Error(), `backend = "nf_tables" or "legacy"`) {
		t.Errorf("with rules in both: %v", err)
	}
	for _, b := range []string{host.BackendNFT, host.BackendLegacy} {
		apply(t, h, call("iptables_chain", false, `{"chain":"FORWARD","backend":"`+b+`","rule":[{"jump":"DROP"}]}`))
	}
	tool(t, "iptables-legacy", "-F", "FORWARD")
	h = anotherSession(t)
	if x := openTables(t, h, host.IPv4, ""); x.Backend() != host.BackendNFT {
		t.Errorf("with empty legacy tables %s", x.Backend())
	}
}

func TestToolIsMissing(t *testing.T) {
	h := netfilterHost(t)
	h.nf.path = []string{t.TempDir()}
	_, err := mustNet(t, h, "").Netfilter().IPTables(ctxOf(t), host.IPv4, "")
	if !errors.Is(err, host.ErrUnsupported) || !strings.Contains(err.Error(), "install the package iptables") {
		t.Errorf("%v", err)
	}
	_, err = mustNet(t, h, "").Netfilter().IPTables(ctxOf(t), host.IPv6, host.BackendLegacy)
	if !errors.Is(err, host.ErrUnsupported) || !strings.Contains(err.Error(), "ip6tables-legacy-save") {
		t.Errorf("%v", err)
	}
}

// Who has only the plain names gets them for the back end that they are.
func TestPlainNames(t *testing.T) {
	h := netfilterHost(t)
	dir := t.TempDir()
	for _, name := range []string{"iptables-save", "iptables-restore"} {
		script := "#!/bin/sh\n[ \"$1\" = -V ] && echo 'iptables v1.8.9 (nf_tables)' && exit\nexec " + lookTool(strings.Replace(name, "-", "-nft-", 1)) + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.nf.path = []string{dir}
	if x := openTables(t, h, host.IPv4, ""); x.Backend() != host.BackendNFT {
		t.Errorf("back end %s", x.Backend())
	}
	apply(t, h, call("iptables_rule", false, `{"chain":"INPUT","jump":"ACCEPT"}`))
	if _, err := mustNet(t, h, "").Netfilter().IPTables(ctxOf(t), host.IPv4, host.BackendLegacy); !errors.Is(err, host.ErrUnsupported) {
		t.Errorf("legacy: %v", err)
	}
}

// Another program may hold the lock of legacy iptables for a moment: that is neither "absent" nor an error.
func TestLockIsWaitedFor(t *testing.T) {
	h := netfilterHost(t)
	c := call("iptables_rule", false, `{"chain":"FORWARD","backend":"legacy","jump":"ACCEPT"}`)
	if _, err := tryApply(t, memory.New(h), c); err != nil { // so that only the commit is left to wait
		t.Fatal(err)
	}
	lock, err := os.OpenFile(os.Getenv("XTABLES_LOCKFILE"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	const held = 700 * time.Millisecond
	timer := time.AfterFunc(held, func() { _ = unix.Flock(int(lock.Fd()), unix.LOCK_UN) })
	defer timer.Stop()
	start := time.Now()
	apply(t, h, c)
	if took := time.Since(start); took < held {
		t.Errorf("took %v: the lock was not looked at", took)
	}
	if r := apply(t, h, c); r.Diff.Action != modules.None {
		t.Errorf("again: %+v", r.Diff)
	}
}

func TestLockEndsWithTheContext(t *testing.T) {
	h := netfilterHost(t)
	lock, err := os.OpenFile(os.Getenv("XTABLES_LOCKFILE"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctxOf(t), 200*time.Millisecond)
	defer cancel()
	m, _ := modules.Default.Lookup("iptables_rule")
	_, err = m.Apply(ctx, h, call("iptables_rule", false, `{"chain":"FORWARD","backend":"legacy","jump":"ACCEPT"}`))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// Native nftables rules in a table of iptables' name cannot be shown by it: nothing must be taken for absent.
func TestNativeRulesAreReported(t *testing.T) {
	h := netfilterHost(t)
	if lookTool("nft") == "" {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal("needs nft: install the package nftables")
		}
		t.Skip("needs nft: install the package nftables")
	}
	tool(t, "iptables-nft", "-A", "FORWARD", "-j", "DROP")
	tool(t, "nft", "add chain ip filter own { type filter hook forward priority 5 ; }")
	tool(t, "nft", "add rule ip filter own ip daddr { 10.0.0.1, 10.0.0.2 } drop")
	_, err := tryApply(t, h, call("iptables_rule", false, `{"chain":"FORWARD","jump":"DROP"}`))
	t.Log(err)
	if err == nil || !strings.Contains(err.Error(), "nft") {
		t.Errorf("%v", err)
	}
	if _, err := tryApply(t, h, call("iptables_rule", false, `{"chain":"PREROUTING","table":"raw","jump":"ACCEPT"}`)); err != nil {
		t.Errorf("another table: %v", err)
	}
}

func TestJumpsAreChecked(t *testing.T) {
	everyVariant(t, func(t *testing.T, h *Host, x host.IPTables, f host.Family) {
		common := `"family":"` + f.String() + `","backend":"` + x.Backend() + `"`
		if _, err := tryApply(t, h, call("iptables_rule", false, `{`+common+`,"chain":"FORWARD","jump":"WEB"}`)); !errors.Is(err, host.ErrNotExist) {
			t.Errorf("jump to nowhere: %v", err)
		}
		if _, err := tryApply(t, h, call("iptables_rule", false, `{`+common+`,"chain":"WEB","jump":"ACCEPT"}`)); !errors.Is(err, host.ErrNotExist) {
			t.Errorf("rule in a chain that is missing: %v", err)
		}
		apply(t, h, call("iptables_chain", false, `{`+common+`,"chain":"WEB","rule":[{"jump":"ACCEPT"}]}`))
		apply(t, h, call("iptables_rule", false, `{`+common+`,"chain":"FORWARD","jump":"WEB"}`))
		if _, err := tryApply(t, h, call("iptables_chain", true, `{`+common+`,"chain":"WEB"}`)); !errors.Is(err, host.ErrBusy) {
			t.Errorf("delete a chain in use: %v", err)
		}
		apply(t, h, call("iptables_rule", true, `{`+common+`,"chain":"FORWARD","jump":"WEB"}`))
		apply(t, h, call("iptables_chain", true, `{`+common+`,"chain":"WEB"}`))
		if r := apply(t, h, call("iptables_rule", true, `{`+common+`,"chain":"WEB","jump":"ACCEPT"}`)); r.Diff.Action != modules.None {
			t.Errorf("%+v", r.Diff)
		}
	})
}
