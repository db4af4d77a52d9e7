package agentbin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
)

// Header is what is to be known of a packed agent without unpacking it. It stands in a file of one
// line beside it, because the .xz format has no place for it.
type Header struct {
	Hash string // SHA-256 of the binary, lower-case hexadecimal
	Size int64  // bytes of the binary
}

// HeaderName is the name of the file with the header of the packed agent called name.
func HeaderName(name string) string { return name + ".sum" }

// NewHeader describes the binary that it reads.
func NewHeader(binary io.Reader) (Header, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, binary)
	return Header{Hash: hex.EncodeToString(sum.Sum(nil)), Size: n}, err
}

// String is the form that ParseHeader reads.
func (h Header) String() string { return fmt.Sprintf("sha256=%s size=%d", h.Hash, h.Size) }

// ParseHeader is the inverse of String.
func ParseHeader(text string) (h Header, err error) {
	if _, err := fmt.Sscanf(text, "sha256=%64s size=%d", &h.Hash, &h.Size); err != nil {
		return Header{}, fmt.Errorf("parse agent header %q: %w", text, err)
	}
	return h, nil
}

func readHeader(dir fs.FS, name string) (Header, error) {
	b, err := fs.ReadFile(dir, HeaderName(name))
	if err != nil {
		return Header{}, err
	}
	return ParseHeader(string(b))
}
