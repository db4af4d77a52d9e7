package planfile

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"labctl/cmd/labctl/internal/statedir"
	"labctl/cmd/labctl/internal/wholefile"
	"labctl/runner"
)

// KeyVariable names a file that holds the key, in place of the one that labctl keeps for its user: for a plan that is made on
// one machine and played on another.
const KeyVariable = "LABCTL_PLAN_KEY_FILE"

// Key seals plan files: nobody who has a file alone can read what stands in it, try out what its secrets are, or change it.
type Key [32]byte

// KeyFile is where the key is.
func KeyFile(getenv func(string) string) (string, error) {
	if named := getenv(KeyVariable); named != "" {
		return named, nil
	}
	dir, err := statedir.Of(getenv)
	if err != nil {
		return "", fmt.Errorf("%w for the key of saved plans: %s=FILE says where it is kept", err, KeyVariable)
	}
	return filepath.Join(dir, "plan.key"), nil
}

// MakeKey returns the key in a file, which is made if it is not there.
func MakeKey(path string) (Key, error) {
	k, err := ReadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	_, _ = rand.Read(k[:]) // it never fails
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return k, fmt.Errorf("keep the key of saved plans: %w: %s=FILE says where else", err, KeyVariable)
	}
	if err := wholefile.Create(path, []byte(hex.EncodeToString(k[:])+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return k, fmt.Errorf("keep the key of saved plans: %w: %s=FILE says where else", err, KeyVariable)
	}
	return ReadKey(path) // another labctl may have been faster
}

// ReadKey returns the key in a file: 64 hexadecimal digits, as openssl rand -hex 32 prints them.
func ReadKey(path string) (k Key, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return k, fmt.Errorf("read the key of saved plans: %w", err)
	}
	if n, err := hex.Decode(k[:], clip(bytes.TrimSpace(text), 2*len(k))); err != nil || n != len(k) {
		return k, fmt.Errorf("read the key of saved plans: %s does not hold 64 hexadecimal digits: openssl rand -hex 32 makes some", path)
	}
	return k, nil
}

// clip is text of the right length, or nothing.
func clip(text []byte, length int) []byte {
	if len(text) != length {
		return nil
	}
	return text
}

// ID tells keys apart and says nothing of them.
func (k Key) ID() string { return k.sum("labctl plan key")[:16] }

func (k Key) sum(parts ...string) string {
	m := hmac.New(sha256.New, k[:])
	for _, p := range parts {
		fmt.Fprintf(m, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(m.Sum(nil))
}

// Digest is what a call is recognised by, and as whom it is made.
func (k Key) Digest(e runner.Event) string {
	if e.Call == nil {
		return ""
	}
	text, _ := json.Marshal(e.Call) // plain data
	return k.sum("call", string(text), as(e.Task))[:32]
}

// as is the user that a task becomes, "" for none.
func as(t *runner.Task) string {
	if t == nil {
		return ""
	}
	return t.Become
}

// sealing is the cipher of files: AES-256-GCM, whose tag covers the head as well.
func (k Key) sealing() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err) // it has the right length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
