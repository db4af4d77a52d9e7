package wire

import (
	"bufio"
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/codec"
	"labctl/modules/host"
)

func frames() []*Frame {
	return []*Frame{
		{Hello: &Hello{Version: Version, PID: 1}},
		{Request: &Request{ID: 1, Op: Apply, Call: &modules.Call{Module: "copy", Params: []byte(`{"dest":"/a"}`)}}},
		{Reply: &Reply{ID: 1, Error: &Error{Kind: KindHost, Msg: "no"}}},
		{Need: &Need{ID: 2, SHA256: "aa"}},
		{Part: &Part{ID: 2, Data: []byte("\x00\xffas it is\n")}},
		{Part: &Part{ID: 1 << 20, Data: bytes.Repeat([]byte{7}, MaxPart)}},
		{Have: &Have{ID: 2}},
		{Part: &Part{ID: 3, Whole: "aa"}},
		{Cancel: &Cancel{}},
		{Notices: &Notices{Keep: []host.Notice{{NoticeID: host.NoticeID{Site: "s", Handler: "h"}, Since: 7}}, Drop: []host.NoticeID{{Play: "p"}}}},
	}
}

func TestFramesTravel(t *testing.T) {
	var b bytes.Buffer
	for _, f := range frames() {
		if err := Write(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReader(&b)
	for _, want := range frames() {
		if got, err := Read(r); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := Read(r); err != io.EOF { //nolint:errorlint // as it is
		t.Errorf("at the end: %v", err)
	}
}

func TestFramesAreBounded(t *testing.T) {
	if err := Write(io.Discard, &Frame{Part: &Part{Data: make([]byte, MaxPart+1)}}); err == nil {
		t.Error("a part that is too large is written")
	}
	for _, head := range []string{"\x80\x00\x00\x03", "\x80\x02\x00\x05", "\xff\xff\xff\xff", "\x7f\xff\xff\xff"} {
		if _, err := Read(bufio.NewReader(strings.NewReader(head + "xxxxxxxx"))); err == nil || !strings.Contains(err.Error(), "not a labctl agent") {
			t.Errorf("%q: %v", head, err)
		}
	}
}

// Whatever comes is a frame or an error, and a frame that came goes out again.
func FuzzRead(f *testing.F) {
	for _, frame := range frames() {
		if frame.Part != nil && len(frame.Part.Data) == MaxPart {
			continue
		}
		var b bytes.Buffer
		if err := Write(&b, frame); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1 && (data[0]&0x80 == 0 && data[0] > 0 || data[0]&0x80 == 0 && data[1] > 16) {
			return // a length that only takes memory
		}
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			frame, err := Read(r)
			if err != nil {
				return
			}
			if frame.Hello == nil && frame.Request == nil && frame.Reply == nil && frame.Need == nil && frame.Have == nil && frame.Part == nil && frame.Cancel == nil && frame.Notices == nil {
				continue
			}
			if err := Write(io.Discard, frame); err != nil {
				t.Errorf("%+v came, and cannot go: %v", frame, err)
			}
		}
	})
}

// BenchmarkReply is what the answer to one task costs, from the agent to the runner.
func BenchmarkReply(b *testing.B) {
	state, err := codec.Marshal(map[string]any{"name": "br0", "up": true, "mtu": 1400, "alias": "", "txqueuelen": 1000, "master": "", "forward_delay": 15,
		"vlan_protocol": "802.1Q", "group_address": "01:80:c2:00:00:00", "mcast_snooping": true, "mcast_hash_max": 4096, "nf_call_iptables": false})
	if err != nil {
		b.Fatal(err)
	}
	changes := []modules.Change{{Path: "up", After: true}, {Path: "mtu", After: 1400.0}}
	f := &Frame{Reply: &Reply{ID: 8, Duration: 25958, Result: &modules.Result{Diff: modules.Diff{Action: modules.Create, Changes: changes}, State: state}}}
	var pipe bytes.Buffer
	r := bufio.NewReader(&pipe)
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(&pipe, f); err != nil {
			b.Fatal(err)
		}
		if _, err := Read(r); err != nil {
			b.Fatal(err)
		}
	}
}
