package main

import (
	"labctl/agent"
	"labctl/agent/linux"
)

// agentVerb is the hidden first argument with which labctl is its own agent, where none is embedded for a machine.
const agentVerb = "agent"

func init() { hidden[agentVerb] = func([]string) int { return agent.Main(linux.New()) } }
