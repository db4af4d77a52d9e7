package modules

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"labctl/modules/host"
	"labctl/modules/host/memory"
)

// thing is a resource of the tests; its only instance is what a thingStore holds.
type thing struct {
	Name   string   `json:"name" lab:"key" doc:"Name."`
	Size   *int     `json:"size,omitempty" doc:"Size."`
	Kind   *string  `json:"kind,omitempty" lab:"immutable" enum:"a,b" doc:"Kind."`
	Tags   []string `json:"tags,omitempty" lab:"set" doc:"Tags."`
	Whole  string   `json:"whole,omitempty" lab:"exact" doc:"None if unset."`
	Secret *string  `json:"secret,omitempty" lab:"sensitive" doc:"Secret."`
	Need   *int     `json:"need,omitempty" lab:"required" doc:"Needed."`
	Parts  []part   `json:"part,omitempty" doc:"Parts."`
	How    bool     `json:"how,omitempty" lab:"option" doc:"Option."`
}

type part struct {
	ID int `json:"id" lab:"required" doc:"Number."`
}

// thingStore is the state, and what was done to it. stuck changes are lost.
type thingStore struct {
	now   *thing
	log   []string
	stuck bool
}

func (s *thingStore) module() Module {
	return newModule(Spec[thing]{Name: "thing", Doc: "A thing.",
		Read: func(context.Context, host.Host, *thing) (*thing, error) { return s.now, nil },
		Apply: func(_ context.Context, _ host.Host, have, want *thing, _ Diff) error {
			switch {
			case want == nil:
				s.log = append(s.log, "delete")
			case have == nil:
				s.log = append(s.log, "create")
			default:
				s.log = append(s.log, "update")
			}
			if !s.stuck {
				s.now = want
			}
			return nil
		}})
}

func thingCall(params string) Call { return Call{Module: "thing", Params: json.RawMessage(params)} }

func TestEngineActions(t *testing.T) {
	for name, c := range map[string]struct {
		have   string
		params string
		absent bool
		action Action
		log    []string
		paths  []string
	}{
		"create":            {"", `{"name":"x","need":1,"size":3}`, false, Create, []string{"create"}, []string{"size", "need"}},
		"nothing":           {`{"name":"x","size":3,"need":1}`, `{"name":"x","need":1,"size":3}`, false, None, nil, nil},
		"unset left alone":  {`{"name":"x","size":3,"need":1,"tags":["a"]}`, `{"name":"x","need":1}`, false, None, nil, nil},
		"empty means none":  {`{"name":"x","need":1,"tags":["a"]}`, `{"name":"x","need":1,"tags":[]}`, false, Update, []string{"update"}, []string{"tags"}},
		"order of a set":    {`{"name":"x","need":1,"tags":["a","b"]}`, `{"name":"x","need":1,"tags":["b","a"]}`, false, None, nil, nil},
		"update":            {`{"name":"x","size":3,"need":1}`, `{"name":"x","need":1,"size":4}`, false, Update, []string{"update"}, []string{"size"}},
		"immutable":         {`{"name":"x","kind":"a","need":1}`, `{"name":"x","need":1,"kind":"b"}`, false, Replace, []string{"delete", "create"}, []string{"kind"}},
		"exact unset":       {`{"name":"x","whole":"y","need":1}`, `{"name":"x","need":1}`, false, Update, []string{"update"}, []string{"whole"}},
		"exact both unset":  {`{"name":"x","need":1}`, `{"name":"x","need":1}`, false, None, nil, nil},
		"option":            {`{"name":"x","need":1}`, `{"name":"x","need":1,"how":true}`, false, None, nil, nil},
		"delete":            {`{"name":"x","need":1}`, `{"name":"x"}`, true, Delete, []string{"delete"}, []string{"need"}},
		"absent already":    {"", `{"name":"x"}`, true, None, nil, nil},
		"order of blocks":   {`{"name":"x","need":1,"part":[{"id":1},{"id":2}]}`, `{"name":"x","need":1,"part":[{"id":2},{"id":1}]}`, false, Update, []string{"update"}, []string{"part"}},
		"same blocks":       {`{"name":"x","need":1,"part":[{"id":1}]}`, `{"name":"x","need":1,"part":[{"id":1}]}`, false, None, nil, nil},
		"secret is changed": {`{"name":"x","need":1,"secret":"old"}`, `{"name":"x","need":1,"secret":"new"}`, false, Update, []string{"update"}, []string{"secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &thingStore{}
			if c.have != "" {
				s.now = &thing{}
				if err := json.Unmarshal([]byte(c.have), s.now); err != nil {
					t.Fatal(err)
				}
			}
			call := thingCall(c.params)
			call.Absent = c.absent
			res, err := s.module().Apply(t.Context(), memory.New(nil), call)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, ch := range res.Diff.Changes {
				paths = append(paths, ch.Path)
				if ch.Sensitive && (ch.Before != nil || ch.After != nil) {
					t.Errorf("%s left the engine: %v -> %v", ch.Path, ch.Before, ch.After)
				}
			}
			if res.Diff.Action != c.action || !reflect.DeepEqual(paths, c.paths) || !reflect.DeepEqual(s.log, c.log) {
				t.Errorf("action %s, paths %v, did %v; want %s, %v, %v", res.Diff.Action, paths, s.log, c.action, c.paths, c.log)
			}
		})
	}
}

func TestEngineProvesConvergence(t *testing.T) {
	s := &thingStore{stuck: true}
	_, err := s.module().Apply(t.Context(), memory.New(nil), thingCall(`{"name":"x","need":1}`))
	if !errors.Is(err, ErrNotConverged) {
		t.Errorf("create that is lost: %v", err)
	}
	s.now = &thing{Name: "x", Need: ptr(1), Size: ptr(1)}
	if _, err = s.module().Apply(t.Context(), memory.New(nil), thingCall(`{"name":"x","need":1,"size":2}`)); !errors.Is(err, ErrNotConverged) {
		t.Errorf("update that is lost: %v", err)
	}
}

func TestEngineRefusesArguments(t *testing.T) {
	m := (&thingStore{}).module()
	for params, path := range map[string]string{
		`{"need":1}`:                          "name",
		`{"name":"x"}`:                        "need",
		`{"name":"x","need":1,"kind":"c"}`:    "kind",
		`{"name":"x","need":"one"}`:           "need",
		`{"name":"x","need":1,"part":[{}]}`:   "part[0].id",
		`{"name":"x","need":1,"nothing":"y"}`: "",
	} {
		var ae *ArgumentError
		if err := m.Check(thingCall(params)); !errors.As(err, &ae) || ae.Path != path {
			t.Errorf("%s: %v, want a fault of %q", params, err, path)
		}
	}
	absent := thingCall(`{"name":"x"}`)
	absent.Absent = true
	if err := m.Check(absent); err != nil {
		t.Errorf("absent needs only the key: %v", err)
	}
}

// TestAbsentInMissingNamespace checks that what lives in a namespace that is not there is absent.
func TestAbsentInMissingNamespace(t *testing.T) {
	m, err := Default.Lookup("bridge")
	if err != nil {
		t.Fatal(err)
	}
	c := Call{Module: "bridge", Params: json.RawMessage(`{"name":"br0","netns":"nowhere"}`), Absent: true}
	res, err := m.Apply(t.Context(), memory.New(nil), c)
	if err != nil || res.Diff.Action != None {
		t.Errorf("%v, %v", res.Diff, err)
	}
	c.Absent = false
	if _, err := m.Apply(t.Context(), memory.New(nil), c); !errors.Is(err, host.ErrNoNetNS) {
		t.Errorf("present: %v", err)
	}
}
