package modules

import "testing"

func TestLikeNow(t *testing.T) {
	for _, c := range []struct{ key, want, now, out string }{
		{"net.x", "0x1f", "2", "31"},
		{"net.x", "010", "2", "8"},
		{"net.x", "-0", "2", "0"},
		{"net.x", "-1", "2", "-1"},
		{"net.x", "0x400 65000", "1024 60999", "1024 65000"},
		{"net.x", "18446744073692774399", "1", "18446744073692774399"},
		{"net.x", "bbr", "cubic", "bbr"},
		{"net.x", "1", "", "1"},
		{"net.ipv4.ip_local_reserved_ports", "80,90-99", "8080", "80,90-99"},
		{"net.x", "yes", "1", ""},
		{"net.x", "+1", "1", ""},
		{"net.x", "0x", "1", ""},
		{"net.x", "08", "1", ""},
		{"net.x", "1.0", "1", ""},
		{"net.x", "1 2", "1", ""},
		{"net.x", "1024", "1024 60999", ""},
	} {
		out, err := likeNow(c.key, c.want, c.now)
		if out != c.out || (err == nil) != (c.out != "") {
			t.Errorf("%s = %s where %q is: %q, %v, want %q", c.key, c.want, c.now, out, err, c.out)
		}
	}
}
