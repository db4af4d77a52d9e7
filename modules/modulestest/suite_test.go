package modulestest

import (
	"fmt"
	"strings"
	"testing"

	"labctl/modules"
)

func TestNetworkOnMemory(t *testing.T) {
	for _, s := range Network() {
		t.Run(s.Title(), func(t *testing.T) { Run(t, s, OnMemory) })
	}
}

func TestWorldOnMemory(t *testing.T) { World(t, 500, OnMemory) }

func TestSystemOnMemory(t *testing.T) {
	for _, s := range System() {
		t.Run(s.Title(), func(t *testing.T) { Run(t, s, OnMachine) })
	}
}

func TestContainersOnMemory(t *testing.T) {
	for _, s := range Containers() {
		t.Run(s.Title(), func(t *testing.T) { Run(t, s, OnMemory) })
	}
}

func TestProcessesOnMemory(t *testing.T) {
	for _, s := range Processes() {
		t.Run(s.Title(), func(t *testing.T) { Run(t, s, OnMemory) })
	}
}
func TestPackagesOnMemory(t *testing.T) { Run(t, PackageSuite(), OnMachine) }

func TestServicesOnMemory(t *testing.T) {
	for _, masks := range []bool{false, true} {
		t.Run(fmt.Sprint(masks), func(t *testing.T) { Run(t, ServiceSuite(masks), OnMachine) })
	}
}

func TestKernelModulesOnMemory(t *testing.T) { Run(t, KernelModuleSuite(), OnMachine) }

func TestHomeRejects(t *testing.T) {
	for name, rejects := range HomeRejects {
		Suite{Module: name, Rejects: rejects}.rejects(t, modules.Default[name])
	}
}

func TestToolsOnMemory(t *testing.T) {
	sum := strings.Repeat("1", 64)
	Run(t, GetURLSuite("http://nowhere.example", sum, sum[:63]+"2"), OnMemory)
	git := GitSuite("/nowhere", sum[:40])
	git.States = git.States[:1]
	Run(t, git, OnMemory)
}
