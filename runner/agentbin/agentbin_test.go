package agentbin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
)

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Pack(&b, content); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(t *testing.T, r io.Reader) []byte {
	t.Helper()
	gz, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPackIsDeterministic(t *testing.T) {
	content := bytes.Repeat([]byte("agent"), 1000)
	if !bytes.Equal(packed(t, content), packed(t, content)) {
		t.Error("packing the same content twice gave different bytes")
	}
}

func TestSet(t *testing.T) {
	content := bytes.Repeat([]byte("agent"), 1000)
	gz := packed(t, content)
	s := &Set{dir: fstest.MapFS{FileName("mips"): {Data: gz}, "README.md": {}}}

	if got := s.Arches(); !slices.Equal(got, []string{"mips"}) {
		t.Errorf("Arches() = %q", got)
	}
	if got, ok := s.Hash("mips"); !ok || got != hexSum(content) {
		t.Errorf("Hash(mips) = %q, %v; want %q", got, ok, hexSum(content))
	}
	r, gzSize, size, err := s.Open("mips")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(raw)) != gzSize || size != int64(len(content)) {
		t.Errorf("Open(mips) says %d packed, %d unpacked; want %d, %d", gzSize, size, len(raw), len(content))
	}
	if !bytes.Equal(unpack(t, bytes.NewReader(raw)), content) {
		t.Error("Open(mips) unpacks to something else")
	}
}

func TestSetWithout(t *testing.T) {
	s := &Set{dir: fstest.MapFS{}}
	if h, ok := s.Hash("mips"); ok {
		t.Errorf("Hash(mips) = %q, want none", h)
	}
	if _, _, _, err := s.Open("mips"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open(mips): %v, want ErrNotExist", err)
	}
	if s.Self("mips") {
		t.Error("Self(mips) without an executable to stand in")
	}
}

func TestOwnExecutableStandsIn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("not on Linux: no executable can stand in")
		return
	}
	s := &Set{dir: fstest.MapFS{}, self: newSelf(runtime.GOARCH)}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Self(runtime.GOARCH) || s.Self("other") {
		t.Errorf("Self: %v for this computer's kind, %v for another; want true, false", s.Self(runtime.GOARCH), s.Self("other"))
	}
	if got, ok := s.Hash(runtime.GOARCH); !ok || got != hexSum(exe) {
		t.Errorf("Hash = %q, %v; want %q", got, ok, hexSum(exe))
	}
	r, _, size, err := s.Open(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := unpack(t, r); size != int64(len(exe)) || !bytes.Equal(got, exe) {
		t.Errorf("Open gives %d bytes and says %d, want %d", len(got), size, len(exe))
	}
}

func TestEmbeddedComesFirst(t *testing.T) {
	s := &Set{dir: fstest.MapFS{FileName(runtime.GOARCH): {Data: packed(t, []byte("agent"))}}, self: newSelf(runtime.GOARCH)}
	if s.Self(runtime.GOARCH) {
		t.Error("Self is true although an agent is embedded")
	}
	if got, _ := s.Hash(runtime.GOARCH); got != hexSum([]byte("agent")) {
		t.Errorf("Hash = %q, want the embedded agent's", got)
	}
}

// TestEmbedded holds every agent of this build to its own header.
func TestEmbedded(t *testing.T) {
	s := Default()
	t.Logf("embedded: %q", s.Arches())
	for _, goarch := range s.Arches() {
		want, ok := s.Hash(goarch)
		if !ok {
			t.Fatalf("Hash(%s): none", goarch)
		}
		r, _, size, err := s.Open(goarch)
		if err != nil {
			t.Fatal(err)
		}
		content := unpack(t, r)
		if int64(len(content)) != size || hexSum(content) != want {
			t.Errorf("%s: %d bytes of hash %s; the header says %d, %s", goarch, len(content), hexSum(content), size, want)
		}
	}
}
