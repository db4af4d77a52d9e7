package linux

import "testing"

func TestComplaintOf(t *testing.T) {
	const script = "one\ntwo"
	for text, want := range map[string]complaint{
		"-:2: bad": {2, "two", "bad"}, "-:1:bad": {1, "one", "bad"}, "-:3: bad": {}, "-:0: bad": {}, "-:x: bad": {}, "-:1": {}, "2: bad": {},
	} {
		if got, ok := complaintOf(script, text, "-:"); got != want || ok != (want != complaint{}) {
			t.Errorf("%q: %v, %t, want %v", text, got, ok, want)
		}
	}
	if got, ok := complaintOf("", "-:1: bad", "-:"); ok {
		t.Errorf("no script: %v", got)
	}
}
