package modulestest

import "testing"

func TestOVSOnMemory(t *testing.T) {
	for _, s := range OVS() {
		t.Run(s.Title(), func(t *testing.T) { Run(t, s, OnMemory) })
	}
}
