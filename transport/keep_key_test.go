package transport

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// others are a target and, by the name of a field, one that differs from it in that.
func others(t *testing.T) (Target, map[string]Target) {
	base, out := Target{Name: "a", Address: "192.0.2.1"}, map[string]Target{}
	for i := range reflect.TypeFor[Target]().NumField() {
		other := base
		v, f := reflect.ValueOf(&other).Elem().Field(i), reflect.TypeFor[Target]().Field(i)
		switch x := v.Addr().Interface().(type) {
		case *string:
			*x += "other"
		case *[]string:
			*x = []string{"other"}
		case *int:
			*x = 7
		case *bool:
			*x = true
		case *time.Duration:
			*x = time.Hour
		case **Target:
			*x = &Target{Name: "hop"}
		default:
			t.Fatalf("%s is a %s: a connection of whatever value of it may be kept, and go to another process as JSON", f.Name, f.Type)
		}
		out[f.Name] = other
	}
	return base, out
}

// TestKeepKey: whatever a target says decides which connection may be used for it, but how long it is kept.
func TestKeepKey(t *testing.T) {
	base, all := others(t)
	for field, other := range all {
		if same := base.key() == other.key(); same != (field == "Persist") {
			t.Errorf("%s: same key: %v", field, same)
		}
		behind, behindOther := base, base
		behind.Via, behindOther.Via = &base, &other
		if same := behind.key() == behindOther.key(); same != (field == "Persist") {
			t.Errorf("%s of a hop: same key: %v", field, same)
		}
	}
}

// TestTargetTravels: a target is the same in another process.
func TestTargetTravels(t *testing.T) {
	_, all := others(t)
	for field, other := range all {
		b, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		var back Target
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, other) {
			t.Errorf("%s: %+v, %v", field, back, err)
		}
	}
}

// TestKeepSweeps by the clock on the wall, and what is in use is not swept.
func TestKeepSweeps(t *testing.T) {
	p, k := NewPool(Options{}), NewKeep()
	link := func(used time.Time, refs int) *link {
		l := &link{pool: p, key: used.String(), refs: refs, persist: time.Minute, lastUse: used, cancel: func(error) {}}
		p.links[l.key] = l
		k.add(l)
		return l
	}
	now := time.Now().Round(0)
	over, used, young := link(now.Add(-2*time.Minute), 0), link(now.Add(-3*time.Minute), 1), link(now, 0)
	k.Sweep(false)
	if over.cause == nil || used.cause != nil || young.cause != nil {
		t.Errorf("ended: %v, %v, %v", over.cause, used.cause, young.cause)
	}
	k.Sweep(true)
	if used.cause != nil || young.cause == nil {
		t.Errorf("ended: %v, %v", used.cause, young.cause)
	}
}
