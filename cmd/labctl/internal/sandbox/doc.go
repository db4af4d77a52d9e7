// Package sandbox turns a topology into machines on this computer: every host gets its own
// network, mount, pid, uts and ipc namespaces, an overlay of this computer's root and a real OpenSSH
// server; networks are bridges, and a jump host is really the only way to what is behind it.
//
// One supervisor process per sandbox holds everything. The wires live in namespaces that only it
// has open and the hosts die with it, so nothing ever appears in the main network namespace or
// in the main mount table, and whatever is killed, there is nothing to sweep up but a directory.
//
//	labctl sandbox up ──unix socket──> supervisor ─┬─ PID 1 of boxA ── sshd
//	                                               ├─ PID 1 of boxB ── sshd
//	                                               ├─ fabric: a namespace with a bridge per wire
//	ssh 127.0.0.1:PORT ──────relay─────────────────┴─ outside: a namespace that reaches only
//	                                                  hosts without a jump host
//
// The supervisor and the PID 1s are this executable started again with [InitVerb] as its first
// argument; main hands those starts to [InitMain].
//
// A sandbox is a test bed and no security boundary: root in a host is root on this computer.
//
// The package takes a plain [Topology] and knows nothing of inventories, playbooks, the runner
// or the terminal. Up, Down and Exec need Linux and root; the rest builds everywhere.
package sandbox

// InitVerb is the hidden first argument with which the sandbox starts its own executable.
const InitVerb = "sandbox-init"

// DefaultDir is where sandboxes keep their state unless the caller says otherwise.
const DefaultDir = "/run/labctl/sandbox"
