package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/ulikunitz/xz"
)

// sample is much like an agent: repetitions, some of them further back than a small dictionary reaches.
func sample() []byte {
	var b []byte
	for i := range 400_000 {
		b = append(b, byte(i), byte(i>>3), byte(i*i>>7), byte(i>>11))
	}
	return append(b, b...)
}

func forArch(goarch string) func([]byte) ([]byte, error) {
	return func(content []byte) ([]byte, error) { return compress(goarch, content) }
}

func TestCompress(t *testing.T) {
	content := sample()
	for _, c := range []struct {
		name     string
		path     string
		compress func([]byte) ([]byte, error)
	}{
		{"program", "", forArch("amd64")},
		{"program, instructions of four bytes", "", forArch("arm64")},
		{"go", "", compressInGo},
		{"no program", t.TempDir(), forArch("amd64")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.path != "" {
				t.Setenv("PATH", c.path)
			} else {
				t.Setenv("XZ_OPT", "--format=lzma") // not for us
			}
			packed, err := c.compress(content)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes packed to %d", len(content), len(packed))
			r, err := xz.NewReader(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
				t.Errorf("unpacks to %d bytes, %v", len(got), err)
			}
			again, err := c.compress(content)
			if err != nil || !bytes.Equal(again, packed) {
				t.Errorf("the same content gives other bytes: %v", err)
			}
		})
	}
}

// TestXZUnpacksGo: what is packed without the program is unpacked by it, on the machines.
func TestXZUnpacksGo(t *testing.T) {
	content := sample()
	packed, err := compressInGo(content)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("xz"); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.Command("xz", "-dc", "--memlimit-decompress=6MiB")
	cmd.Stdin = bytes.NewReader(packed)
	if got, err := cmd.Output(); err != nil || !bytes.Equal(got, content) {
		t.Errorf("unpacks to %d bytes, %v", len(got), err)
	}
}
