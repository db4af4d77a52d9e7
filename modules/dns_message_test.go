package modules

import (
	"bytes"
	"testing"
)

// FuzzDNSAnswer: whatever a server sends must neither stop the agent nor keep it.
func FuzzDNSAnswer(f *testing.F) {
	query, err := dnsQuery(7, "www.lab.test", 1)
	if err != nil {
		f.Fatal(err)
	}
	answer := bytes.Clone(query)
	answer[2], answer[7] = 0x81, 2
	answer = append(answer, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'x', 0xc0, 16) // x.lab.test, by a pointer into the name
	answer = append(answer, 0xc0, 42, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 2, 80)
	if values, code, truncated, err := dnsAnswer(query, answer); err != nil || code != 0 || truncated || len(values) != 1 || values[0] != "10.0.2.80" {
		f.Fatalf("answer is %v, %d, %v, %v", values, code, truncated, err)
	}
	for n := range answer {
		f.Add(answer[:n])
		spoilt := bytes.Clone(answer)
		spoilt[n] = 0xc0
		f.Add(spoilt)
	}
	f.Add(append(bytes.Clone(answer[:len(query)]), 0xc0, byte(len(query)))) // a name that is itself
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _, _ = dnsAnswer(query, b) })
}
