//go:build linux

// Command labctl-agent is what labctl pushes to a machine: it serves requests on its standard input and output for as long as
// the session lives, and listens on nothing. It links neither HCL nor SSH.
package main

import (
	"os"

	"labctl/agent"
	"labctl/agent/linux"
)

func main() { os.Exit(agent.Main(linux.New())) }
