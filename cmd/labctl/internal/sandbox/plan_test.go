package sandbox

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// office is the topology of most tests: two hosts behind a jump host, joined by a wire.
var office = Topology{Name: "office", Networks: []string{"underlay"}, Hosts: []Host{
	{Name: "jump-host", Address: "34.89.221.226", User: "vagrant"},
	{Name: "boxA", Address: "192.168.178.3", User: "vagrant", Jump: []string{"jump-host"},
		NICs: []NIC{{Name: "enp0s8", Network: "underlay", Addresses: []string{"192.168.50.4/24", "fd00:50::4/64"}}}},
	{Name: "boxB", Address: "192.168.178.4", Port: 2222, User: "vagrant", Jump: []string{"jump-host"},
		NICs: []NIC{{Name: "enp0s8", Network: "underlay", MTU: 9000, MAC: "02:00:00:00:00:0b", Addresses: []string{"192.168.50.5/24", "fd00:50::5/64"}}}},
}}

// show writes the management links and the hosts file of a machine on a few lines.
func show(m machine) string {
	var b strings.Builder
	for _, l := range m.Links {
		fmt.Fprintf(&b, "%s %s %s %v", l.Name, l.Wire.Kind, l.Wire.Of, l.Addresses)
		for _, r := range l.Routes {
			fmt.Fprintf(&b, " %s from %s", r.To, r.From)
		}
		b.WriteByte('\n')
	}
	for _, line := range strings.Split(m.HostsFile, "\n")[5:] {
		b.WriteString(strings.ReplaceAll(line, "\t", " ") + "\n")
	}
	return strings.TrimSpace(b.String())
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name  string
		hosts []Host
		want  map[string]string
	}{{
		"a target behind a jump host",
		[]Host{{Name: "j", Address: "34.89.221.226"}, {Name: "a", Address: "192.168.178.3", Jump: []string{"j"}}},
		map[string]string{
			"j": "mgmt0 outside j [34.89.221.226/32] 198.18.0.1 from 34.89.221.226\n" +
				"mgmt1 behind j [] 192.168.178.3 from 34.89.221.226\n192.168.178.3 a",
			"a": "mgmt0 behind j [192.168.178.3/32] 34.89.221.226 from 192.168.178.3\n34.89.221.226 j",
		},
	}, {
		"a target on a declared network of the jump host needs no other wire",
		[]Host{
			{Name: "j", NICs: []NIC{{Name: "e0", Network: "n", Addresses: []string{"10.0.0.1/24"}}}},
			{Name: "a", Address: "10.0.0.2", Jump: []string{"j"}, NICs: []NIC{{Name: "e0", Network: "n", Addresses: []string{"10.0.0.2/24"}}}},
		},
		map[string]string{
			"j": "e0 network n [10.0.0.1/24]\nmgmt0 outside j [198.18.1.1/32] 198.18.0.1 from 198.18.1.1\n10.0.0.2 a",
			"a": "e0 network n [10.0.0.2/24]\n10.0.0.1 j",
		},
	}, {
		"a declared address is not given twice, and no host route leads to one",
		[]Host{
			{Name: "j", Address: "10.0.0.1", NICs: []NIC{{Name: "mgmt0", Network: "n", Addresses: []string{"10.0.0.1/24"}}}},
			{Name: "a", Address: "10.9.0.2", Jump: []string{"j"}, NICs: []NIC{{Name: "e0", Network: "m", Addresses: []string{"10.9.0.2/24"}}}},
		},
		map[string]string{
			"j": "mgmt0 network n [10.0.0.1/24]\nmgmt1 outside j [] 198.18.0.1 from 10.0.0.1\nmgmt2 behind j [198.18.1.1/32] 10.9.0.2 from 198.18.1.1\n10.9.0.2 a",
			"a": "e0 network m [10.9.0.2/24]\nmgmt0 behind j [] 198.18.1.1 from 10.9.0.2\n198.18.1.1 j",
		},
	}, {
		"names and IPv6",
		[]Host{{Name: "j", Address: "bastion.example"}, {Name: "a", Address: "fd00::2", Jump: []string{"j"}}},
		map[string]string{
			"j": "mgmt0 outside j [198.18.1.1/32] 198.18.0.1 from 198.18.1.1\nmgmt1 behind j [2001:2::1:1/128] fd00::2 from 2001:2::1:1\nfd00::2 a",
			"a": "mgmt0 behind j [fd00::2/128] 2001:2::1:1 from fd00::2\n2001:2::1:1 j bastion.example",
		},
	}} {
		t.Run(c.name, func(t *testing.T) {
			p, err := newPlan(Topology{Name: "t", Hosts: c.hosts}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range p.machines {
				if got := show(m); got != c.want[m.Name] {
					t.Errorf("%s:\n%s\nwant\n%s", m.Name, got, c.want[m.Name])
				}
			}
		})
	}
}

func TestPlanKeepsAddresses(t *testing.T) {
	first, err := newPlan(Topology{Name: "t", Hosts: []Host{{Name: "a"}, {Name: "b"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// b keeps what it had; c does not get what a had and might get again.
	second, err := newPlan(Topology{Name: "t", Hosts: []Host{{Name: "c"}, {Name: "b"}}}, first.allocated)
	if err != nil {
		t.Fatal(err)
	}
	var got []netip.Addr
	for _, m := range append(first.machines, second.machines...) {
		got = append(got, m.IP)
	}
	want := []netip.Addr{first4, first4.Next(), first4.Next().Next(), first4.Next()}
	if !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
}

func TestPlanCollision(t *testing.T) {
	_, err := newPlan(Topology{Name: "t", Hosts: []Host{{Name: "j", Address: "10.0.0.1"},
		{Name: "a", Address: "10.0.0.2", Jump: []string{"j"}}, {Name: "b", Address: "10.0.0.2", Jump: []string{"j"}}}}, nil)
	if err == nil || err.Error() != `jump host "j": "a" and "b" both have address 10.0.0.2` {
		t.Errorf("two hosts with one address behind one jump host: %v", err)
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	err := Topology{Name: "../etc", Hosts: []Host{
		{Name: "a", Port: 70000, User: "Robert; --", Jump: []string{"nobody"}},
		{Name: "a"},
		{Name: "b c", Address: "x y"},
		{Name: "j", Jump: []string{"k"}}, {Name: "k", Jump: []string{"j"}},
		{Name: "n", NICs: []NIC{{Name: "lo"}, {Name: "much-too-long-a-name"}, {Name: "e", MTU: 1, MAC: "xx", Addresses: []string{"10.0.0.1"}}, {Name: "e"}}},
	}}.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{`sandbox name "../etc"`, `host "a" is declared twice`, "port 70000", `user name "Robert; --"`, `jump host "nobody" is not`,
		`host "b c": the name cannot`, `address "x y"`, `host "j": its jump hosts go in a circle`, `nic "lo": not an interface name`, `nic "much-too-long-a-name"`,
		"mtu 1 ", `mac "xx"`, `address "10.0.0.1": want`, `nic "e" is declared twice`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in\n%v", want, err)
		}
	}
}

func TestSSHConfig(t *testing.T) {
	var b strings.Builder
	err := SSHConfig(&b, &State{Hosts: []HostState{
		{Name: "j", Address: "1.2.3.4", Port: 22, User: "root", Entry: "127.0.0.1:4711", IdentityFile: "/with space/id", KnownHosts: "/k"},
		{Name: "t", Address: "10.0.0.1", Port: 2222, User: "vagrant", Jump: []string{"j", "k"}, IdentityFile: "/id", KnownHosts: "/k"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Host j\n  HostName 127.0.0.1\n  Port 4711\n  User root\n  IdentityFile \"/with space/id\"\n", "Host t\n  HostName 10.0.0.1\n  Port 2222\n", "  ProxyJump j,k\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
