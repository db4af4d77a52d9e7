package host

import (
	"net"
	"testing"
)

func TestParseMACReadsWhatPackageNetReads(t *testing.T) {
	for _, text := range []string{
		"02:00:5e:10:00:01", "02-00-5E-10-00-01", "0200.5e10.0001", "ff:ff:ff:ff:ff:ff",
		"", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "02:00:5e:10:00-01", "2:0:5e:10:0:1", "02:00:5e:10:00:0g",
		"0200.5e1.00001", "0200:5e10:0001", "02005e100001", "02.00.5e.10.00.01", "020:05:e1:00:00:1", ":::::", "..",
		"02:00:5e:10:00:01:02:03", "0200.5e10.0001.0203",
	} {
		want, err := net.ParseMAC(text)
		got, ok := ParseMAC(text)
		if ok != (err == nil && len(want) == 6) {
			t.Errorf("ParseMAC(%q): %v, package net says %v %v", text, ok, want, err)
		}
		if ok && (MAC(got) != want.String()) {
			t.Errorf("MAC(%q) = %q, want %q", text, MAC(got), want)
		}
	}
}
