package linux

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"labctl/agent/linux/internal/rtnl"

	"golang.org/x/sys/unix"
)

// Knows reports why the kernel has no kind of device ("link") or of queueing discipline ("qdisc"), in the words it would have
// for a play; nil when it has, or when that cannot be told. To ask the kernel is to have it load a module: it is asked only
// for what no module stands ready for, in a namespace of our own.
func (h *Host) Knows(_ context.Context, what, kind string) error {
	if kind == "tun" || loadable(what, kind) { // tun is made by ioctl(2)
		return nil
	}
	n, err := h.scratchNet()
	if err != nil {
		return nil //nolint:nilerr // a play says what is wrong
	}
	defer h.writes.Add(-1) // the namespace is nobody's
	if what == "qdisc" {
		parent := uint32(handleRoot)
		if kind == "ingress" || kind == "clsact" {
			parent = handleIngress
		}
		err := n.conn.Do(rtnl.New(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, tcmsg(1, 0, parent)).Str(tcaKind, kind))
		return only(err, unix.ENOENT)
	}
	m := rtnl.New(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ifinfomsg(0, 0, 0)).Str(unix.IFLA_IFNAME, ".") // no name of a device
	m.Nest(unix.IFLA_LINKINFO, func() { m.Str(unix.IFLA_INFO_KIND, kind) })
	return only(n.conn.Do(m), unix.EOPNOTSUPP)
}

func only(err error, errno unix.Errno) error {
	if errors.Is(err, errno) {
		return failed("", "", err)
	}
	return nil
}

// loadable reports whether there is a module for a kind: by its alias, which names of queueing disciplines have since Linux 6.9,
// or by the name of its file.
func loadable(what, kind string) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	dir := filepath.Join("/lib/modules", unix.ByteSliceToString(u.Release[:]))
	file, word := "modules.alias", "alias rtnl-link-"+kind+" "
	if what == "qdisc" {
		file, word = "modules.dep", "/sch_"+kind+".ko"
	}
	b, _ := os.ReadFile(filepath.Join(dir, file))
	return bytes.Contains(b, []byte(word))
}
