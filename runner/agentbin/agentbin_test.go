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
	"sync"
	"testing"
	"testing/fstest"

	"github.com/ulikunitz/xz"
)

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// bin is a directory with the agent content for goarch.
func bin(t *testing.T, goarch string, content []byte) fstest.MapFS {
	t.Helper()
	var packed bytes.Buffer
	w, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := NewHeader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	name := FileName(goarch)
	return fstest.MapFS{name: {Data: packed.Bytes()}, HeaderName(name): {Data: []byte(h.String() + "\n")}, "README.md": {}}
}

// unpacked opens the agent in a form, holds it to the lengths, and undoes the form.
func unpacked(t *testing.T, s *Set, goarch, form string) []byte {
	t.Helper()
	r, length, size, err := s.Open(goarch, form)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	content := io.Reader(bytes.NewReader(raw))
	switch form {
	case Gzip:
		content, err = gzip.NewReader(content)
	case XZ:
		content, err = xz.NewReader(content)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(raw)) != length || int64(len(b)) != size {
		t.Errorf("Open(%s, %q) says %d, %d bytes unpacked; there are %d, %d", goarch, form, length, size, len(raw), len(b))
	}
	return b
}

func TestSet(t *testing.T) {
	content := bytes.Repeat([]byte("agent"), 1000)
	s := &Set{dir: bin(t, "mips", content)}

	if got := s.Arches(); !slices.Equal(got, []string{"mips"}) {
		t.Errorf("Arches() = %q", got)
	}
	if got, ok := s.Hash("mips"); !ok || got != hexSum(content) {
		t.Errorf("Hash(mips) = %q, %v; want %q", got, ok, hexSum(content))
	}
	for _, form := range []string{Plain, Gzip, XZ} {
		if !bytes.Equal(unpacked(t, s, "mips", form), content) {
			t.Errorf("Open(mips, %q) unpacks to something else", form)
		}
	}
	if _, _, _, err := s.Open("mips", "zstd"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Open(mips, zstd): %v, want ErrUnsupported", err)
	}
}

// opens counts how often the packed agent is opened.
type opens struct {
	fs.FS
	mu    sync.Mutex
	count int
}

func (o *opens) Open(name string) (fs.File, error) {
	if name == FileName("mips") {
		o.mu.Lock()
		o.count++
		o.mu.Unlock()
	}
	return o.FS.Open(name)
}

// TestUnpacksOnce: a hundred machines without xz cost the unpacking and packing of one.
func TestUnpacksOnce(t *testing.T) {
	content := bytes.Repeat([]byte("agent"), 1000)
	dir := &opens{FS: bin(t, "mips", content)}
	s := &Set{dir: statOnly{dir}}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			form := []string{Plain, Gzip}[i%2]
			r, _, _, err := s.Open("mips", form)
			if err != nil {
				t.Error(err)
				return
			}
			if form == Gzip {
				if r, err = gzip.NewReader(r); err != nil {
					t.Error(err)
					return
				}
			}
			if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, content) {
				t.Errorf("read %d bytes, %v; want %d", len(b), err, len(content))
			}
		})
	}
	wg.Wait()
	if dir.count != 1 {
		t.Errorf("unpacked %d times", dir.count)
	}
}

// statOnly lets fs.Stat go past opens.
type statOnly struct{ *opens }

func (s statOnly) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.FS, name) }

func TestSetWithout(t *testing.T) {
	s := &Set{dir: fstest.MapFS{}}
	if h, ok := s.Hash("mips"); ok {
		t.Errorf("Hash(mips) = %q, want none", h)
	}
	if _, _, _, err := s.Open("mips", Plain); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open(mips): %v, want ErrNotExist", err)
	}
	if s.Self("mips") || s.Self("") {
		t.Error("Self without an executable to stand in")
	}
}

func TestDamagedAgent(t *testing.T) {
	content := bytes.Repeat([]byte("agent"), 1000)
	dir := bin(t, "mips", content)
	packed := dir[FileName("mips")].Data
	for i := range packed {
		packed[i] ^= 1
		if r, _, _, err := (&Set{dir: dir}).Open("mips", Plain); err == nil {
			if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, content) {
				t.Errorf("damaged at byte %d it unpacks to something else", i)
			}
		}
		packed[i] ^= 1
	}
	delete(dir, HeaderName(FileName("mips")))
	if _, ok := (&Set{dir: dir}).Hash("mips"); ok {
		t.Error("Hash without a header")
	}
}

func TestOwnExecutableStandsIn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("not on Linux: no executable can stand in")
		return
	}
	s := &Set{dir: fstest.MapFS{}, self: runtime.GOARCH}
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
	for _, form := range []string{Plain, Gzip} {
		if !bytes.Equal(unpacked(t, s, runtime.GOARCH, form), exe) {
			t.Errorf("Open in form %q gives something else", form)
		}
	}
	if _, _, _, err := s.Open(runtime.GOARCH, XZ); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Open in form xz: %v, want ErrUnsupported", err)
	}
}

func TestEmbeddedComesFirst(t *testing.T) {
	s := &Set{dir: bin(t, runtime.GOARCH, []byte("agent")), self: runtime.GOARCH}
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
		for _, form := range []string{Plain, XZ} {
			if got := hexSum(unpacked(t, s, goarch, form)); got != want {
				t.Errorf("%s in form %q: hash %s; the header says %s", goarch, form, got, want)
			}
		}
	}
}
