package main

import (
	"labctl/agent"
	"labctl/agent/linux"
	"labctl/agent/wire"
)

// agentVerb is the hidden first argument with which labctl is its own agent, where none is embedded for a machine.
const agentVerb = "agent"

func init() {
	main := func([]string) int { return agent.Main(linux.New()) }
	hidden[agentVerb], hidden[wire.RelayArgument] = main, main
}
