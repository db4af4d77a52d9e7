package modules

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestBandwidthRejects(t *testing.T) {
	for params, path := range map[string]string{
		`"rate":"1mbit"`:              "rate",
		`"size":1000`:                 "size",
		`"loss_at_most":"1%"`:         "loss_at_most",
		`"proto":"udp"`:               "rate",
		`"proto":"udp","rate":"10"`:   "rate",
		`"proto":"udp","rate":"1bit"`: "rate",
		`"proto":"udp","rate":"1mbit","loss_at_least":"1"`: "loss_at_least",
		`"proto":"udp","rate":"1mbit","size":4`:            "size",
		`"proto":"icmp"`:                                   "proto",
		`"at_least":"fast"`:                                "at_least",
		`"at_most":"10"`:                                   "at_most",
		`"duration":"1ms"`:                                 "duration",
		`"duration":"1h"`:                                  "duration",
		`"wait":"soon"`:                                    "wait",
		`"port":0`:                                         "port",
		`"address":"10.0.0.1/24"`:                          "address",
		`"proto":"udp","rate":"1gbit","size":1472,"loss_at_most":"0.1%","at_least":"900mbit","duration":"60s"`: "",
	} {
		m, err := Default.Lookup("bandwidth")
		if err != nil {
			t.Fatal(err)
		}
		err = m.Check(Call{Module: "bandwidth", Params: json.RawMessage(`{"name":"x","from":"a","to":"b",` + params + `}`)})
		var fault *ArgumentError
		if path == "" && err != nil || path != "" && (!errors.As(err, &fault) || fault.Path != path) {
			t.Errorf("%s: %v, not at %q", params, err, path)
		}
	}
}

func TestMeterCountsOnce(t *testing.T) {
	m := &meter{datagrams: true, to: time.Hour}
	datagram := func(n uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte(datagramMark), n)
	}
	for _, b := range [][]byte{datagram(0), datagram(5), datagram(0), datagram(maxDatagrams - 1), datagram(maxDatagrams), datagram(1 << 63), {}, []byte("labctlbw"), make([]byte, 2000)} {
		if m.take(b) != nil {
			t.Errorf("%q is answered", b)
		}
	}
	if m.received != 5 || m.counted != 5*16 || len(m.seen) > maxDatagrams/64 {
		t.Errorf("%d datagrams, %d bytes, %d words", m.received, m.counted, len(m.seen))
	}
}

// TestMeterCountsTime leaves out what comes early or late, and takes a pause for what it is.
func TestMeterCountsTime(t *testing.T) {
	m := &meter{from: time.Hour, to: 4 * time.Hour}
	for _, age := range []time.Duration{0, 0, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour} {
		if age > 0 {
			m.first = time.Now().Add(-age)
		}
		m.take(make([]byte, 1000))
	}
	b := &Bandwidth{Name: "x", AtLeast: "1bit"}
	b.measured(m)
	if m.counted != 1000 || b.verdict() == nil {
		t.Errorf("%d bytes count, %v", m.counted, b)
	}
}
