package sshconfig

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkManyHosts asks for every host of a file with as many blocks: twice the hosts must take about twice the time.
func BenchmarkManyHosts(b *testing.B) {
	for _, hosts := range []int{1000, 10000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			var text strings.Builder
			for i := range hosts {
				fmt.Fprintf(&text, "Host h%d\n  HostName 10.0.%d.%d\n  User u\n  IdentityFile ~/.ssh/k\n  ProxyJump bastion\n", i, i/250, i%250)
			}
			text.WriteString("Host *\n  Port 2222\n")
			path := write(b, "config", text.String())
			for b.Loop() {
				c, err := Load(path)
				if err != nil {
					b.Fatal(err)
				}
				for i := range hosts {
					if _, err := c.Target(fmt.Sprintf("h%d", i)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
