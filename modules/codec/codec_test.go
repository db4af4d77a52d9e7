package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

type embedded struct {
	Deep string `json:"4"`
}

// everything has a field of each kind. Names without letters: encoding/json takes "Name" for "name", codec does not.
type everything struct {
	embedded
	S   string            `json:"1"`
	P   *string           `json:"2,omitempty"`
	I   int               `json:"3"`
	I8  int8              `json:"5,omitempty"`
	U   uint16            `json:"6,omitempty"`
	F   float64           `json:"7"`
	FP  *float64          `json:"8"`
	B   bool              `json:"9,omitempty"`
	L   []string          `json:"10"`
	LE  []string          `json:"11,omitempty"`
	O   []embedded        `json:"12"`
	OP  *embedded         `json:"13,omitempty"`
	M   map[string]int    `json:"14"`
	ME  map[string]string `json:"15,omitempty"`
	MO  map[string]*embedded
	A   any             `json:"16"`
	AE  any             `json:"17,omitempty"`
	R   json.RawMessage `json:"18,omitempty"`
	Y   []byte          `json:"19"`
	No  string          `json:"-"`
	own string
}

func plainJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func randomText(r *rand.Rand) string {
	parts := []string{"a", "é", "\x00", "\n", "\t", "\b", "\f", "\x1f", "\x7f", "\xff", "\xe2\x80", "\u2028", "\u2029", `"`, `\`, "/", "<", "😀", "\ufffd"}
	var s string
	for range r.IntN(6) {
		s += parts[r.IntN(len(parts))]
	}
	return s
}

func randomFloat(r *rand.Rand) float64 {
	all := []float64{0, 1, -1, 0.5, 1e-7, -1e-9, 123456789, 1e20, 1e21, 1.5e300, 1e-300, 3, 1 << 53, float64(r.IntN(1000)) / 7}
	return all[r.IntN(len(all))]
}

func randomAny(r *rand.Rand, depth int) any {
	switch n := r.IntN(7); {
	case n == 0:
		return nil
	case n == 1:
		return r.IntN(2) == 0
	case n == 2:
		return randomFloat(r)
	case n == 3 && depth > 0:
		out := []any{}
		for range r.IntN(4) {
			out = append(out, randomAny(r, depth-1))
		}
		return out
	case n == 4 && depth > 0:
		out := map[string]any{}
		for range r.IntN(4) {
			out[strings.ToValidUTF8(randomText(r), "?")] = randomAny(r, depth-1)
		}
		return out
	}
	return randomText(r)
}

func maybe[T any](r *rand.Rand, v T) (out T) {
	if r.IntN(2) == 0 {
		return v
	}
	return out
}

func randomEverything(r *rand.Rand) everything {
	s, f := randomText(r), randomFloat(r)
	return everything{
		embedded: embedded{randomText(r)}, S: s, P: maybe(r, &s), I: maybe(r, r.IntN(1000)-500), I8: maybe(r, int8(-128)), U: maybe(r, uint16(65535)), F: f,
		FP: maybe(r, &f), B: maybe(r, true), L: maybe(r, []string{s, s}), LE: maybe(r, []string{}), O: maybe(r, []embedded{{s}, {}}),
		OP: maybe(r, &embedded{}), M: maybe(r, map[string]int{"b": 1, "a": 2}), ME: maybe(r, map[string]string{}),
		MO: maybe(r, map[string]*embedded{"x": nil, "y": {s}}), A: randomAny(r, 3), AE: randomAny(r, 1),
		R: maybe(r, json.RawMessage(`{"a":[1,2.5,null,"x"]}`)), Y: maybe(r, []byte(s)), No: "no", own: "no",
	}
}

func TestMarshalAndUnmarshalAsEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		v := randomEverything(r)
		want := plainJSON(t, v)
		got, err := Marshal(v)
		if err != nil || string(got) != want {
			t.Fatalf("Marshal: %v\n got %s\nwant %s", err, got, want)
		}
		sameReading(t, got)
		if t.Failed() {
			return
		}
	}
}

// sameReading reads text both ways, into a struct and into any, and compares.
func sameReading(t *testing.T, text []byte) {
	t.Helper()
	for _, strict := range []bool{false, true} {
		var a, b everything
		d := json.NewDecoder(bytes.NewReader(text))
		if strict {
			d.DisallowUnknownFields()
		}
		errA := d.Decode(&a)
		if errA == nil && !json.Valid(text) {
			errA = errors.New("more than one value")
		}
		errB := unmarshal(text, &b, strict)
		if (errA == nil) != (errB == nil) || errA == nil && !reflect.DeepEqual(a, b) {
			t.Errorf("%q, strict %v:\nencoding/json: %v %+v\n        codec: %v %+v", text, strict, errA, a, errB, b)
		}
	}
	var a, b any
	errA, errB := json.Unmarshal(text, &a), Unmarshal(text, &b)
	if (errA == nil) != (errB == nil) || errA == nil && !reflect.DeepEqual(a, b) {
		t.Errorf("%q into any:\nencoding/json: %v %#v\n        codec: %v %#v", text, errA, a, errB, b)
	}
}

func TestUnmarshalDamagedTextAsEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const alphabet = "{}[]:,\"\\0123456789.-+eEtrufalsn /bx\x00\xff\xe2\x80\xa8 "
	for range 100000 {
		text, _ := Marshal(randomAny(r, 3))
		if r.IntN(4) == 0 {
			v := randomEverything(r)
			text, _ = Marshal(v)
		}
		for range r.IntN(4) {
			i := r.IntN(len(text) + 1)
			switch r.IntN(3) {
			case 0:
				text = append(text[:i:i], text[min(i+1+r.IntN(3), len(text)):]...)
			case 1:
				text = append(text[:i:i], append([]byte{alphabet[r.IntN(len(alphabet))]}, text[i:]...)...)
			case 2:
				if i < len(text) {
					text[i] = alphabet[r.IntN(len(alphabet))]
				}
			}
		}
		if bytes.Contains(text, []byte(`"mo"`)) || bytes.Contains(text, []byte(`"mO"`)) || bytes.Contains(text, []byte(`"Mo"`)) {
			continue // the one name with letters
		}
		sameReading(t, text)
		if t.Failed() {
			return
		}
	}
}

func TestUnmarshalAsEncodingJSON(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, ` null `, `nul`, `nullx`, `{}`, `{} {}`, `[]`, `[1,]`, `{"a":1,}`, `{"a"}`, `{1:2}`, `"\ud83d\ude00"`, `"\ud83d"`,
		`"\ud83dx"`, `"\ud83d\u0041"`, `"\ud83d\ud83d\ude00"`, `"\u12"`, `"\u+123"`, `"\u1_23"`, `"\x"`, `"` + "\x01" + `"`, `01`, `-`, `-0`, `1.`, `.5`, `1e`, `1e+`, `1E5`, `1e999`,
		`{"3":1.5}`, `{"3":1e2}`, `{"3":99999999999999999999}`, `{"5":128}`, `{"5":-128}`, `{"6":-1}`, `{"6":65536}`, `{"3":"1"}`, `{"1":1}`, `{"9":1}`,
		`{"10":{}}`, `{"10":null}`, `{"10":[null]}`, `{"12":[{"4":"x"},{}]}`, `{"13":null}`, `{"13":[]}`, `{"14":{"a":"b"}}`, `{"14":[]}`,
		`{"18": [1 , 2]}`, `{"18":null}`, `{"19":"AAEC"}`, `{"19":"AA"}`, `{"19":""}`, `{"19":null}`, `{"19":5}`, `{"unknown":[{"x":1}]}`, `{"3":null}`,
		`{"2":"a","2":null}`, `{"7":1e400}`, `{"16":1e400}`, "\ufeff{}", `{"-":"x","No":"y"}`, `{"own":"x"}`, `[1] x`,
	} {
		sameReading(t, []byte(text))
	}
}

func TestTypeErrorTellsWhere(t *testing.T) {
	err := Unmarshal([]byte(`{"13":{"4":[]}}`), new(everything))
	var te *TypeError
	if !errors.As(err, &te) || te.Path != "13.4" || te.Value != "array" || te.Type != reflect.TypeFor[string]() {
		t.Errorf("got %#v", err)
	}
}

func TestDeepNestingIsAnError(t *testing.T) {
	deep := []byte(strings.Repeat("[", 1_000_000))
	var v any
	if err := Unmarshal(deep, &v); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("Unmarshal: %v", err)
	}
	for range 2 * maxDepth {
		v = []any{v}
	}
	if _, err := Marshal(v); err == nil {
		t.Error("Marshal: no error")
	}
}

func TestMarshalRefuses(t *testing.T) {
	for _, v := range []any{map[int]int{1: 1}, make(chan int), func() {}, json.RawMessage(`{`), json.RawMessage(`1 2`), []any{json.RawMessage("")}} {
		if b, err := Marshal(v); err == nil {
			t.Errorf("Marshal(%T): %s, no error", v, b)
		}
	}
}

func TestMarshalIsUTF8(t *testing.T) {
	b, err := Marshal("\xff\xfe")
	if err != nil || !utf8.Valid(b) {
		t.Errorf("%q %v", b, err)
	}
}
