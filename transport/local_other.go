//go:build !unix

package transport

import "os/exec"

func ownGroup(*exec.Cmd) {}

func ownSession(*exec.Cmd) {}

func hangupGroup(c *exec.Cmd) { killGroup(c) }

func killGroup(c *exec.Cmd) { _ = c.Process.Kill() }

// openToOthers cannot tell where files have no such modes.
func openToOthers(string) bool { return false }

func signalName(*exec.ExitError) string { return "unknown" }
