package modules

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestReachRejects(t *testing.T) {
	for params, path := range map[string]string{
		`"port":80`:                         "port",
		`"service":true`:                    "service",
		`"proto":"tcp"`:                     "port",
		`"proto":"udp","port":70000`:        "port",
		`"proto":"tcp","port":80,"df":true`: "proto",
		`"proto":"sctp"`:                    "proto",
		`"expect":"open"`:                   "expect",
		`"size":4`:                          "size",
		`"count":0`:                         "count",
		`"wait":"soon"`:                     "wait",
		`"seen_as":"boxA"`:                  "seen_as",
		`"address":"10.0.0.1/24"`:           "address",
		`"deadline":"never"`:                "deadline",
		`"proto":"udp","port":5,"df":true,"size":1400`: "",
	} {
		m, err := Default.Lookup("reach")
		if err != nil {
			t.Fatal(err)
		}
		err = m.Check(Call{Module: "reach", Params: json.RawMessage(`{"name":"x","from":"a","to":"b",` + params + `}`)})
		var fault *ArgumentError
		if path == "" && err != nil || path != "" && (!errors.As(err, &fault) || fault.Path != path) {
			t.Errorf("%s: %v, not at %q", params, err, path)
		}
	}
}

// TestSightEndures cuts packets off at every place: whatever is on the wire must not stop the agent.
func TestSightEndures(t *testing.T) {
	inner := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 0, 80, 0, 0, 0, 0}, marking(7, 3, 20)...)
	outer := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 254, 10, 0, 0, 1, 3, 3, 0, 0, 0, 0, 0, 0}, inner...)
	six := append([]byte{0x60, 0, 0, 0, 0, 0, 44, 64}, make([]byte, 32)...)
	six = append(append(six, 17, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 80, 0, 0, 0, 0), marking(7, 3, 20)...)
	for _, b := range [][]byte{inner, outer, six} {
		for n := range len(b) {
			sight(b[:n])
		}
	}
	if s, ok := sight(outer); !ok || s.what != "error" || s.mark != 7 || s.seq != 3 || s.text != "port unreachable from 10.0.0.254" {
		t.Errorf("%+v", s)
	}
	if s, ok := sight(outer[:28+28]); !ok || s.mark != 0 || s.dst != "10.0.0.2" {
		t.Errorf("cut off: %+v", s)
	}
	if s, ok := sight(six); !ok || s.what != "request" || s.mark != 7 || s.port != 80 {
		t.Errorf("IPv6: %+v", s)
	}
}
