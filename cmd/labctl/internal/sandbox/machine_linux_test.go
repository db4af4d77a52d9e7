package sandbox

import (
	"testing"
)

func TestFreshMachine(t *testing.T) {
	b := up(t, Topology{Name: "fresh", Hosts: []Host{{Name: "box", NICs: []NIC{{Name: "eth1"}}}}})
	for _, c := range [][2]string{
		{"hostname", "box"},
		{"cat /proc/1/comm", "labctl"},
		{"ls /root /home /mnt /tmp", "/home:\n\n/mnt:\n\n/root:\n\n/tmp:"},
		{"ls /var/log/openvswitch | wc -l", "0"}, // the directory is of the package
		{"ls /etc/ssh/ssh_host_*", "/etc/ssh/ssh_host_ed25519_key"},
		{"ip -br link | sed 's/[@ ].*//'", "lo\neth1\nmgmt0"},
		{"ip netns add x && ip netns", "x"},
		{"ip netns exec x ip -br link", "lo               DOWN           00:00:00:00:00:00 <LOOPBACK>"},
		{"sysctl -w net.ipv4.ip_forward=1", "net.ipv4.ip_forward = 1"},
		{"(echo 77 > /proc/sys/kernel/panic) 2>&1 | grep -o Read-only", "Read-only"},
		{"iptables-legacy -A INPUT -p tcp --dport 80 -j ACCEPT && iptables-legacy -S | tail -1", "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT"},
		{"iptables-nft -A INPUT -p tcp --dport 80 -j ACCEPT && iptables-nft -S 2>/dev/null | tail -1", "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT"},
		{"ls /run", "lock\nnetns\nsshd\nsshd.pid\nutmp\nxtables.lock"},
		{"findmnt -n -o FSTYPE /", "overlay"},
		{"echo x > /dev/null; test -c /dev/net/tun && echo tun", "tun"},
		{"ls /proc/self/fd | wc -l", "4"},
		{"ls /proc/1/fd | wc -l | awk '$1 < 12 {print \"few\"}'", "few"},
	} {
		if out, _ := b.exec("box", c[0]); out != c[1] {
			t.Errorf("%s:\n%s\nwant\n%s", c[0], out, c[1])
		}
	}
}

// TestInit sees PID 1 do its duties: it reaps, starts sshd again, and its sshd is OpenSSH with its limits.
func TestInit(t *testing.T) {
	b := up(t, Topology{Name: "init", Hosts: []Host{{Name: "box", User: "tester", Port: 2022}}})
	b.must("box", "setsid sh -c 'sleep 0.01 & exit' ; sleep 0.2")
	if out := b.must("box", "ps -eo stat,comm | grep -c ^Z || true"); out != "0" {
		t.Errorf("%s zombies: %s", out, b.must("box", "ps -ef"))
	}
	pid := b.must("box", "cat /run/sshd.pid")
	b.must("box", "kill "+pid+"; sleep 0.5")
	if out, err := b.ssh("box", "cat /run/sshd.pid"); err != nil || out == pid {
		t.Errorf("sshd after its death: %v: pid %s, was %s", err, out, pid)
	}
	if out := b.must("box", "/usr/sbin/sshd -T | grep -E '^(maxstartups|passwordauthentication|usepam|acceptenv|port) '"); out != "port 2022\nusepam no\npasswordauthentication no\nmaxstartups 10:30:100" {
		t.Errorf("sshd -T: %s", out)
	}
	if out, err := b.ssh("box", "umask 022; ls -ld . .ssh .ssh/authorized_keys | cut -c1-10,11- | awk '{print $1, $3}'; ping -c1 -W1 127.0.0.1 >/dev/null && echo pong; id -gn"); err != nil ||
		out != "drwxr-xr-x tester\ndrwx------ tester\n-rw------- tester\npong\ntester" {
		t.Errorf("home: %v: %s", err, out)
	}
}
