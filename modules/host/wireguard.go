package host

import (
	"context"
	"encoding/base64"
	"encoding/hex"

	"labctl/modules/digest"
)

// WireGuard is what a device of kind wireguard has beside its link (include/uapi/linux/wireguard.h). Of secret keys what is
// read is SecretDigest; keys to be written are base64.
type WireGuard struct {
	PrivateKey string          `json:"private_key,omitempty"` // "": none
	PublicKey  string          `json:"public_key,omitempty"`  // made by the kernel; "" where it is not known yet
	ListenPort int             `json:"listen_port,omitempty"` // 0: chosen when the device comes up
	FwMark     int             `json:"fwmark,omitempty"`
	Peers      []WireGuardPeer `json:"peers,omitempty"` // by public key
}

// WireGuardPeer is one peer.
type WireGuardPeer struct {
	PublicKey           string   `json:"public_key"`
	PresharedKey        string   `json:"preshared_key,omitempty"`
	Endpoint            string   `json:"endpoint,omitempty"` // ADDRESS:PORT
	AllowedIPs          []string `json:"allowed_ips,omitempty"`
	PersistentKeepalive int      `json:"persistent_keepalive,omitempty"` // seconds; 0: none
}

// WireGuardChange is what to change; nil: left alone.
type WireGuardChange struct {
	PrivateKey         *string
	ListenPort, FwMark *int
	Peers              []WireGuardPeer // to be there as they are; an endpoint "" is left alone
	Remove             []string        // public keys
}

// WireGuards reads and configures the WireGuard devices of one namespace.
type WireGuards interface {
	// Get returns what a device has. ErrNotExist, ErrUnsupported when the kernel knows no WireGuard.
	Get(ctx context.Context, name string) (WireGuard, error)
	Set(ctx context.Context, name string, c WireGuardChange) error
}

// WireGuardKey reads a key in base64.
func WireGuardKey(text string) ([]byte, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	return b, err == nil && len(b) == 32
}

// SecretDigest is what may be shown of a secret key: keys are random, and there is no way back.
func SecretDigest(key []byte) string {
	sum := digest.Sum256(key)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PrivateKeyDigest is SecretDigest of a private key in base64 as the kernel keeps it (curve25519_clamp_secret).
func PrivateKeyDigest(text string) string {
	b, ok := WireGuardKey(text)
	if !ok {
		return ""
	}
	b[0] &= 248
	b[31] = b[31]&127 | 64
	return SecretDigest(b)
}

// PresharedKeyDigest is SecretDigest of a preshared key in base64; "" for none.
func PresharedKeyDigest(text string) string {
	b, ok := WireGuardKey(text)
	if !ok || text == base64.StdEncoding.EncodeToString(make([]byte, 32)) {
		return ""
	}
	return SecretDigest(b)
}
