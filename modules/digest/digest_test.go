package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

func TestSum256OfTheStandardsExamples(t *testing.T) {
	for text, want := range map[string]string{
		"":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	} {
		if got := Sum256([]byte(text)); hex.EncodeToString(got[:]) != want {
			t.Errorf("Sum256(%q) = %x, want %s", text, got, want)
		}
	}
}

func TestSumAsCryptoSHA256(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for size := range 1500 {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		h := New()
		for rest := b; len(rest) > 0; { // in pieces of any length, looking between
			n := min(len(rest), r.IntN(200))
			_, _ = h.Write(rest[:n])
			rest = rest[n:]
			h.Sum()
		}
		if want := sha256.Sum256(b); h.Sum() != want || Sum256(b) != want {
			t.Fatalf("%d bytes: %x in pieces, %x whole, want %x", size, h.Sum(), Sum256(b), want)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	block := make([]byte, 1<<20)
	b.SetBytes(int64(len(block)))
	h := New()
	for b.Loop() {
		_, _ = h.Write(block)
	}
}
