package linux

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// verifier passes content through and turns its end into an error when the SHA-256 is not the one promised: the blobs
// directory belongs to the login user, who may be another than the one the agent has become.
type verifier struct {
	io.ReadCloser
	want string
	hash hash.Hash
}

// newVerifier returns r itself when there is nothing to verify.
func newVerifier(r io.ReadCloser, want string) io.ReadCloser {
	if want == "" {
		return r
	}
	return &verifier{r, want, sha256.New()}
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.hash.Write(p[:n])
	if err == io.EOF {
		if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.want {
			return n, fmt.Errorf("verify content: SHA-256 is %s, not %s", got, v.want)
		}
	}
	return n, err
}
