// Package digest is SHA-256 (FIPS 180-4), by which contents are named. The agent uses it in place of crypto/sha256, which
// brings AES, SHA-3 and random generators with it (the self-tests of FIPS 140): 150 KB more to push. It knows nothing of files or hosts, and is no base for cryptography. Its tests hold it against crypto/sha256.
package digest

import (
	"encoding/binary"
	"math/bits"
)

// Size is the length of a sum in bytes.
const Size = 32

const blockSize = 64

// Hash is the sum of what has been written to it. The zero value is not one: see New.
type Hash struct {
	state  [8]uint32
	rest   [blockSize]byte // what does not fill a block yet
	n      int             // bytes of it
	length uint64          // of all, in bytes
}

// New returns the Hash of nothing.
func New() *Hash {
	return &Hash{state: [8]uint32{ // FIPS 180-4, 5.3.3
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	}}
}

// Sum256 returns the sum of b.
func Sum256(b []byte) [Size]byte {
	h := New()
	_, _ = h.Write(b) // never fails
	return h.Sum()
}

// Write adds b. It never fails.
func (h *Hash) Write(b []byte) (int, error) {
	written := len(b)
	h.length += uint64(written)
	if h.n > 0 {
		n := copy(h.rest[h.n:], b)
		h.n, b = h.n+n, b[n:]
		if h.n < blockSize {
			return written, nil
		}
		h.blocks(h.rest[:])
		h.n = 0
	}
	whole := len(b) - len(b)%blockSize
	h.blocks(b[:whole])
	h.n = copy(h.rest[:], b[whole:])
	return written, nil
}

// Sum returns the sum of what has been written so far; more may follow.
func (h *Hash) Sum() (sum [Size]byte) {
	padded := *h
	padding := make([]byte, 1, 2*blockSize) // 5.1.1: a one, zeros to the last eight bytes of a block, the length in bits
	padding[0] = 0x80
	for (h.n+len(padding))%blockSize != blockSize-8 {
		padding = append(padding, 0)
	}
	_, _ = padded.Write(binary.BigEndian.AppendUint64(padding, h.length*8)) // never fails
	for i, s := range padded.state {
		binary.BigEndian.PutUint32(sum[4*i:], s)
	}
	return sum
}

// blocks is the computation of 6.2.2; b is a multiple of blockSize long.
func (h *Hash) blocks(b []byte) {
	var w [64]uint32
	for ; len(b) >= blockSize; b = b[blockSize:] {
		for i := range 16 {
			w[i] = binary.BigEndian.Uint32(b[4*i:])
		}
		for i := 16; i < 64; i++ {
			x, y := w[i-15], w[i-2]
			s0 := bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3
			s1 := bits.RotateLeft32(y, -17) ^ bits.RotateLeft32(y, -19) ^ y>>10
			w[i] = w[i-16] + s0 + w[i-7] + s1
		}
		h.block(&w)
	}
}

func (h *Hash) block(w *[64]uint32) {
	s := &h.state
	a, b, c, d, e, f, g, hh := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	for i, k := range constants {
		s1 := bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)
		t1 := hh + s1 + (e&f ^ ^e&g) + k + w[i]
		s0 := bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)
		t2 := s0 + (a&b ^ a&c ^ b&c)
		a, b, c, d, e, f, g, hh = t1+t2, a, b, c, d+t1, e, f, g
	}
	for i, v := range [...]uint32{a, b, c, d, e, f, g, hh} {
		s[i] += v
	}
}

// constants are those of 4.2.2: the first 32 bits of the fractions of the cube roots of the first 64 primes.
var constants = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
