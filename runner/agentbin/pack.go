package agentbin

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Header is what a packed agent says about its contents. It travels in the comment of the gzip
// header (RFC 1952, 2.3.1), so any gunzip unpacks the file and nobody has to unpack it to know.
type Header struct {
	Hash string // SHA-256 of the contents, lower-case hexadecimal
	Size int64  // bytes of the contents
}

// String is the form that ParseHeader reads.
func (h Header) String() string { return fmt.Sprintf("sha256=%s size=%d", h.Hash, h.Size) }

// ParseHeader reads the comment of a packed agent.
func ParseHeader(comment string) (h Header, err error) {
	if _, err := fmt.Sscanf(comment, "sha256=%64s size=%d", &h.Hash, &h.Size); err != nil {
		return Header{}, fmt.Errorf("parse agent header %q: %w", comment, err)
	}
	return h, nil
}

// Pack writes content to w as a packed agent. The same content gives the same bytes everywhere:
// the header has neither a time nor a file name.
func Pack(w io.Writer, content []byte) error {
	gz, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	gz.Comment = Header{Hash: hex.EncodeToString(sum[:]), Size: int64(len(content))}.String()
	if _, err := gz.Write(content); err != nil {
		return fmt.Errorf("pack agent: %w", err)
	}
	return gz.Close()
}
