package transport

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format has it
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/ssh"
)

// krlMagic begins a key revocation list (PROTOCOL.krl of OpenSSH).
const krlMagic = "SSHKRL\n\x00"

// revocationList is a KRL.
type revocationList struct {
	blobs        map[string]bool // of plain keys
	sha1, sha256 map[string]bool // of their blobs
	certs        []revokedCerts
}

// revokedCerts are certificates of one authority, or of all if ca is empty.
type revokedCerts struct {
	ca     string // blob
	ranges [][2]uint64
	bitmap map[uint64]*big.Int // by the serial number of its lowest bit
	ids    map[string]bool
}

var errShortKRL = errors.New("the key revocation list is cut off")

// krlReader takes a KRL apart; after the first fault it yields nothing.
type krlReader struct {
	rest []byte
	err  error
}

func (r *krlReader) take(n uint64) []byte {
	if r.err != nil || uint64(len(r.rest)) < n {
		r.err, r.rest = errors.Join(r.err, errShortKRL), nil
		return make([]byte, min(n, 8))
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *krlReader) byte() byte     { return r.take(1)[0] }
func (r *krlReader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *krlReader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *krlReader) string() []byte {
	n := r.uint32()
	if r.err != nil {
		return nil
	}
	out := r.take(uint64(n))
	if r.err != nil {
		return nil
	}
	return out
}

// set reads strings up to the end.
func (r *krlReader) set(into map[string]bool) {
	for r.err == nil && len(r.rest) > 0 {
		into[string(r.string())] = true
	}
}

func parseKRL(data []byte) (*revocationList, error) {
	r := &krlReader{rest: bytes.TrimPrefix(data, []byte(krlMagic))}
	if v := r.uint32(); r.err == nil && v != 1 {
		return nil, fmt.Errorf("the key revocation list has format %d, only 1 is known", v)
	}
	r.take(24) // version, date, flags
	r.string() // reserved
	r.string() // comment
	l := &revocationList{blobs: map[string]bool{}, sha1: map[string]bool{}, sha256: map[string]bool{}}
	for r.err == nil && len(r.rest) > 0 {
		kind := r.byte()
		section := &krlReader{rest: r.string()}
		if r.err == nil {
			r.err = l.section(kind, section)
		}
	}
	return l, r.err
}

func (l *revocationList) section(kind byte, r *krlReader) error {
	switch kind {
	case 1:
		return l.certificates(r)
	case 2:
		r.set(l.blobs)
	case 3:
		r.set(l.sha1)
	case 5:
		r.set(l.sha256)
	case 4: // OpenSSH refuses these too
		return errors.New("the key revocation list holds a signature, which nobody would check")
	default:
		return r.extension(kind == 255)
	}
	return r.err
}

// extension passes over what may be passed over.
func (r *krlReader) extension(known bool) error {
	name := r.string()
	if critical := r.byte() != 0; r.err == nil && (critical || !known) {
		return fmt.Errorf("the key revocation list needs what is not known here: %q", name)
	}
	return r.err
}

func (l *revocationList) certificates(r *krlReader) error {
	c := revokedCerts{ca: string(r.string()), bitmap: map[uint64]*big.Int{}, ids: map[string]bool{}}
	r.string() // reserved
	for r.err == nil && len(r.rest) > 0 {
		kind := r.byte()
		s := &krlReader{rest: r.string()}
		if r.err != nil {
			break
		}
		switch kind {
		case 0x20:
			for s.err == nil && len(s.rest) > 0 {
				n := s.uint64()
				c.ranges = append(c.ranges, [2]uint64{n, n})
			}
		case 0x21:
			c.ranges = append(c.ranges, [2]uint64{s.uint64(), s.uint64()})
		case 0x22:
			c.bitmap[s.uint64()] = new(big.Int).SetBytes(s.string())
		case 0x23:
			s.set(c.ids)
		default:
			s.err = s.extension(kind == 0x39)
		}
		r.err = s.err
	}
	l.certs = append(l.certs, c)
	return r.err
}

// revokes reports whether a key is revoked: itself, the key in a certificate,
// its authority, or the certificate by serial number or key ID.
func (l *revocationList) revokes(key ssh.PublicKey) bool {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		blob := key.Marshal()
		one, two := sha1.Sum(blob), sha256.Sum256(blob) //nolint:gosec // see above
		return l.blobs[string(blob)] || l.sha1[string(one[:])] || l.sha256[string(two[:])]
	}
	if l.revokes(cert.Key) || l.revokes(cert.SignatureKey) {
		return true
	}
	ca := string(cert.SignatureKey.Marshal())
	for _, c := range l.certs {
		if (c.ca == "" || c.ca == ca) && (c.ids[cert.KeyId] || c.hasSerial(cert.Serial)) {
			return true
		}
	}
	return false
}

// hasSerial: number 0 stands for certificates that were given none.
func (c *revokedCerts) hasSerial(n uint64) bool {
	if n == 0 {
		return false
	}
	for _, r := range c.ranges {
		if r[0] <= n && n <= r[1] {
			return true
		}
	}
	for first, bits := range c.bitmap {
		if n >= first && n-first < uint64(bits.BitLen()) && bits.Bit(int(n-first)) == 1 {
			return true
		}
	}
	return false
}
