package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"labctl/modules/host"
)

// toolset are the two programs that all work is done with.
type toolset struct{ save, restore string }

var shortBackend = map[string]string{host.BackendNFT: "nft", host.BackendLegacy: "legacy"}

func toolPrefix(f host.Family) string {
	if f == host.IPv6 {
		return "ip6tables"
	}
	return "iptables"
}

// tools finds the programs of a back end, once.
func (h *Host) tools(ctx context.Context, f host.Family, backend string) (toolset, error) {
	key := dumpKey{f, backend}
	h.nf.mu.Lock()
	t, ok := h.nf.tools[key]
	h.nf.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := h.lookTools(ctx, f, backend)
	if err != nil {
		return toolset{}, err
	}
	h.nf.mu.Lock()
	defer h.nf.mu.Unlock()
	if h.nf.tools == nil {
		h.nf.tools = map[dumpKey]toolset{}
	}
	h.nf.tools[key] = t
	return t, nil
}

// lookTools looks for a back end's own names (iptables-nft-save), then for the plain ones if they stand for it.
func (h *Host) lookTools(ctx context.Context, f host.Family, backend string) (toolset, error) {
	short := shortBackend[backend]
	if short == "" {
		return toolset{}, fmt.Errorf("open iptables: back end %q is neither %s nor %s", backend, host.BackendNFT, host.BackendLegacy)
	}
	prefix := toolPrefix(f)
	if t, ok := h.findTools(prefix + "-" + short); ok {
		return t, nil
	}
	t, ok := h.findTools(prefix)
	if ok {
		def, err := h.defaultBackend(ctx, f)
		if err != nil {
			return toolset{}, err
		}
		if def == backend {
			return t, nil
		}
	}
	return toolset{}, &host.Error{Op: "open iptables", Kind: host.ErrUnsupported,
		Err: fmt.Errorf("%s-%s-save is not installed: install the package iptables", prefix, short)}
}

func (h *Host) findTools(prefix string) (toolset, bool) {
	t := toolset{save: h.lookTool(prefix + "-save"), restore: h.lookTool(prefix + "-restore")}
	return t, t.save != "" && t.restore != ""
}

// lookTool searches PATH and, because a login without root's PATH lacks them, the directories of system programs.
func (h *Host) lookTool(name string) string {
	dirs := h.nf.path
	if dirs == nil {
		dirs = append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin", "/usr/local/sbin")
	}
	for _, dir := range dirs {
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return p
		}
	}
	return ""
}

// defaultBackend says what the plain iptables is. Distributions link it to one of two multi-call programs, which saves
// asking; otherwise iptables-save -V tells, and one that tells nothing is older than the nf_tables back end.
func (h *Host) defaultBackend(ctx context.Context, f host.Family) (string, error) {
	h.nf.mu.Lock()
	defer h.nf.mu.Unlock()
	if b := h.nf.defaults[f]; b != "" {
		return b, nil
	}
	b, err := h.askBackend(ctx, f)
	if err != nil {
		return "", err
	}
	if h.nf.defaults == nil {
		h.nf.defaults = map[host.Family]string{}
	}
	h.nf.defaults[f] = b
	return b, nil
}

func (h *Host) askBackend(ctx context.Context, f host.Family) (string, error) {
	name := toolPrefix(f) + "-save"
	path := h.lookTool(name)
	if path == "" {
		return "", &host.Error{Op: "open iptables", Kind: host.ErrUnsupported,
			Err: fmt.Errorf("%s is not installed: install the package iptables", name)}
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		switch filepath.Base(real) {
		case "xtables-nft-multi":
			return host.BackendNFT, nil
		case "xtables-legacy-multi":
			return host.BackendLegacy, nil
		}
	}
	out, err := runTool(ctx, path, "", "-V")
	if err != nil {
		return "", fmt.Errorf("ask for the back end: %w", err)
	}
	if strings.Contains(out, host.BackendNFT) {
		return host.BackendNFT, nil
	}
	return host.BackendLegacy, nil
}

// backendInUse decides which back end is meant when nobody said: the one that holds rules here, else what the plain
// iptables is.
func (n *Net) backendInUse(ctx context.Context, f host.Family) (string, error) {
	n.nf.mu.Lock()
	b := n.nf.inUse[f]
	n.nf.mu.Unlock()
	if b != "" {
		return b, nil
	}
	b, err := n.findBackend(ctx, f)
	if err != nil {
		return "", err
	}
	n.nf.mu.Lock()
	defer n.nf.mu.Unlock()
	if n.nf.inUse == nil {
		n.nf.inUse = map[host.Family]string{}
	}
	n.nf.inUse[f] = b
	return b, nil
}

func (n *Net) findBackend(ctx context.Context, f host.Family) (string, error) {
	def, err := n.h.defaultBackend(ctx, f)
	if err != nil {
		return "", err
	}
	other := host.BackendLegacy
	if def == host.BackendLegacy {
		other = host.BackendNFT
	} else if !n.legacyLoaded(f) {
		return def, nil
	}
	holdsOther, err := n.holds(ctx, f, other)
	if err != nil || !holdsOther {
		return def, ignoreUnsupported(err)
	}
	holdsDef, err := n.holds(ctx, f, def)
	if err != nil || !holdsDef {
		return other, err
	}
	return "", &host.Error{Op: "open iptables", Kind: host.ErrBusy,
		Err: fmt.Errorf(`both the nf_tables and the legacy back end hold %s rules here: say which is meant with backend = "nf_tables" or "legacy"`, f)}
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, host.ErrUnsupported) {
		return nil
	}
	return err
}

func (n *Net) holds(ctx context.Context, f host.Family, backend string) (bool, error) {
	t, err := n.iptables(ctx, f, backend)
	if err != nil {
		return false, err
	}
	d, err := t.read(ctx, false)
	if err != nil {
		return false, err
	}
	return d.holds(), nil
}

// legacyLoaded reports whether the kernel has legacy tables in this namespace, empty ones included.
func (n *Net) legacyLoaded(f host.Family) bool {
	name := "/proc/thread-self/net/ip_tables_names"
	if f == host.IPv6 {
		name = "/proc/thread-self/net/ip6_tables_names"
	}
	loaded := false
	_ = n.h.inNetNS(n.fd, func() error {
		b, err := os.ReadFile(name)
		loaded = err == nil && len(b) > 0
		return nil
	})
	return loaded
}
