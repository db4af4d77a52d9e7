// Package linux is host.Host on the real kernel: netlink, /proc/sys, iptables' own save and restore tools, files and
// processes. It is the only package that imports a netlink library or os/exec on the agent's side, and it knows nothing of
// modules or of the wire.
package linux
