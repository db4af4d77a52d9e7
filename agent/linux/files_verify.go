package linux

import (
	"encoding/hex"
	"fmt"
	"io"

	"labctl/modules/digest"
)

// verifier passes content through and turns its end into an error when the SHA-256 is not the one promised: a file of
// the controller may change while it is sent.
type verifier struct {
	io.ReadCloser
	want string
	hash *digest.Hash
}

// newVerifier returns r itself when there is nothing to verify.
func newVerifier(r io.ReadCloser, want string) io.ReadCloser {
	if want == "" {
		return r
	}
	return &verifier{r, want, digest.New()}
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	_, _ = v.hash.Write(p[:n]) // never fails
	if err == io.EOF {
		sum := v.hash.Sum()
		if got := hex.EncodeToString(sum[:]); got != v.want {
			return n, fmt.Errorf("verify content: SHA-256 is %s, not %s", got, v.want)
		}
	}
	return n, err
}
