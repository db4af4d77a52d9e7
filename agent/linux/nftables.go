package linux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"labctl/agent/linux/internal/rtnl"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// NFTables returns the tables of nftables of the namespace.
func (n *Net) NFTables() host.NFTables { return nftables{n} }

type nftables struct{ n *Net }

// nft runs the tool by way of run, and puts its complaint into words.
func (t nftables) nft(op, name, stdin string, run func(path string) (string, error)) (string, error) {
	path := t.n.h.lookTool("nft")
	if path == "" {
		return "", &host.Error{Op: op, Object: name, Kind: host.ErrUnsupported, Err: errors.New("nft is not installed: install the package nftables")}
	}
	out, err := run(path)
	te, ok := errors.AsType[*toolError](err)
	if !ok {
		return out, err
	}
	e := &host.Error{Op: op, Object: name, Err: err, Kind: kind(err)}
	switch {
	case strings.Contains(te.stderr, "not supported"):
		e.Kind = host.ErrUnsupported
	case strings.Contains(te.stderr, "No such file or directory") && stdin == "":
		e.Kind, e.Err = host.ErrNotExist, host.ErrNotExist
		return "", e
	}
	if m := nftMessage(te.stderr, stdin); m != "" {
		e.Err = errors.New(m)
	}
	return "", e
}

// in is nft in the namespace.
func (t nftables) in(ctx context.Context, op, name, stdin string, args ...string) (string, error) {
	return t.nft(op, name, stdin, func(path string) (string, error) { return t.n.run(ctx, path, stdin, args...) })
}

// nftMessage makes of the first complaint, which begins as "/dev/stdin:3:6-10: Error: ", what is wrong and with which line.
func nftMessage(stderr, script string) string {
	first, _, _ := strings.Cut(stderr, "\n")
	where, what, ok := strings.Cut(first, "Error: ")
	if !ok {
		return ""
	}
	c, ok := complaintOf(script, where, "/dev/stdin:")
	if !ok {
		return what
	}
	return fmt.Sprintf("%s: line %d: %s", what, c.number, strings.TrimSpace(c.line))
}

func (t nftables) Tables(ctx context.Context) (map[string]string, error) {
	out, err := t.in(ctx, "list tables", "", "", "-s", "list", "ruleset")
	return host.SplitNFTables(out), err
}

func (t nftables) Table(ctx context.Context, name string) (string, error) {
	family, table, _ := strings.Cut(name, " ")
	out, err := t.in(ctx, "read table", name, "", "-s", "list", "table", family, table)
	return host.SplitNFTables(out)[name], err
}

func (t nftables) Canonical(ctx context.Context, name, script string, devices []string) (string, error) {
	out, err := t.nft("read the content of table", name, script, func(path string) (out string, err error) {
		err = inFreshNetNS(func() error {
			if err := makeDevices(devices); err != nil {
				return err
			}
			if _, err := runTool(ctx, path, script, "-f", "-"); err != nil {
				return err
			}
			out, err = runTool(ctx, path, "", "-s", "list", "ruleset")
			return err
		})
		return out, err
	})
	if err != nil {
		return "", err
	}
	made := host.SplitNFTables(out)
	text := made[name]
	delete(made, name)
	switch others := slices.Sorted(maps.Keys(made)); {
	case len(others) > 0:
		return "", fmt.Errorf("table %s: the content makes table %s, too: give every table a task of its own", name, strings.Join(others, ", "))
	case text == "":
		return "", fmt.Errorf("table %s: the content does not make it", name)
	}
	return text, nil
}

// makeDevices makes devices in the namespace of the thread, for rules and chains that name them. Any kind will do.
func makeDevices(names []string) error {
	if len(names) == 0 {
		return nil
	}
	conn, err := rtnl.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, name := range names {
		for _, kind := range []string{"dummy", "bridge", "veth", "ifb"} {
			m := rtnl.New(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ifinfomsg(0, 0, 0)).Str(unix.IFLA_IFNAME, name)
			m.Nest(unix.IFLA_LINKINFO, func() { m.Str(unix.IFLA_INFO_KIND, kind) })
			if err = conn.Do(m); !errors.Is(err, unix.EOPNOTSUPP) {
				break
			}
		}
		if err != nil {
			return failed("make device", name, err)
		}
	}
	return nil
}

// Replace deletes and makes the table in one transaction: rules see either the old or the new one.
func (t nftables) Replace(ctx context.Context, name, text string) error {
	family, table, _ := strings.Cut(name, " ")
	now, err := t.in(ctx, "read table", name, "", "list", "table", family, table) // without -s, for how long elements have yet to live
	if err != nil && !errors.Is(err, host.ErrNotExist) {
		return err
	}
	script := "add table " + name + "\ndelete table " + name + "\n" + text + host.KeptNFTElements(name, now, text)
	return t.write(ctx, "replace table", name, script)
}

func (t nftables) Delete(ctx context.Context, name string) error {
	family, table, _ := strings.Cut(name, " ")
	return t.write(ctx, "delete table", name, "", "delete", "table", family, table)
}

func (t nftables) write(ctx context.Context, op, name, script string, args ...string) error {
	if script != "" {
		args = []string{"-f", "-"}
	}
	t.n.h.writes.Add(1)
	_, err := t.in(ctx, op, name, script, args...)
	t.n.h.netfilterChanged() // iptables may be on the same tables
	return err
}
