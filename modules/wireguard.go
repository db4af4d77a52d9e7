package modules

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"labctl/modules/host"
	"labctl/modules/schema"
)

func init() {
	registerDevice("wireguard", Spec[WireGuard]{
		Name: "wireguard",
		Doc: "Manages a WireGuard device, as wg(8) and ip-link(8). Secret keys never leave the machine: they are compared by their SHA-256. " +
			"Addresses are given to the device by the module address, and routes to allowed_ips by the module route.",
		Example: `wireguard "wg0" {
  private_key_file = "/etc/wireguard/private.key"
  listen_port      = 51820
  peer {
    public_key           = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
    endpoint             = "192.0.2.1:51820"
    allowed_ips          = ["10.9.0.2/32", "fd00:9::/64"]
    persistent_keepalive = 25
  }
}`,
		Validate: (*WireGuard).validate, Read: readWireGuard, Apply: applyWireGuard,
	})
}

// WireGuard is a WireGuard device.
type WireGuard struct {
	virtual
	PrivateKey     *string `json:"private_key,omitempty" lab:"sensitive" doc:"Private key in base64, as wg genkey prints it; left alone if unset."`
	PrivateKeyFile string  `json:"private_key_file,omitempty" lab:"option" doc:"File of the machine that has the private key."`
	ListenPort     *int    `json:"listen_port,omitempty" lab:"made_up" doc:"UDP port; left alone if unset, and chosen by the kernel when the device comes up."`
	FwMark         *int    `json:"fwmark,omitempty" doc:"Mark of the packets that it sends, 0 for none; left alone if unset."`
	PublicKey      *string `json:"public_key,omitempty" lab:"computed,made_up" doc:"Public key that belongs to the private key."`

	Peers []WireGuardPeer `json:"peer,omitempty" doc:"All its peers; left alone if unset."`

	secrets map[string]string // what keys are, by their digest
}

// WireGuardPeer is a peer of a WireGuard device.
type WireGuardPeer struct {
	PublicKey           string   `json:"public_key" lab:"required" doc:"Public key in base64."`
	PresharedKey        string   `json:"preshared_key,omitempty" lab:"sensitive" doc:"Key that both share besides, in base64; none if unset. Shown as its SHA-256."`
	Endpoint            string   `json:"endpoint,omitempty" doc:"ADDRESS:PORT where it is; left alone if unset, for peers that come by themselves."`
	AllowedIPs          []string `json:"allowed_ips,omitempty" lab:"set" doc:"Networks that it may send from, and is sent to; each belongs to one peer only."`
	PersistentKeepalive int      `json:"persistent_keepalive,omitempty" doc:"Seconds after which a silent device says something; 0 for never."`
}

func (w *WireGuard) validate() error {
	if w.PrivateKey != nil {
		if w.PrivateKeyFile != "" {
			return argf("private_key_file", "the private key comes from private_key or from a file, not from both")
		}
		if _, ok := host.WireGuardKey(*w.PrivateKey); !ok {
			return argf("private_key", "it is not a key of 32 bytes in base64, as wg genkey prints it")
		}
	}
	if w.PrivateKeyFile != "" {
		if err := absolute("private_key_file", w.PrivateKeyFile); err != nil {
			return err
		}
	}
	of := map[string]string{}
	for i := range w.Peers {
		if err := w.Peers[i].validate(fmt.Sprintf("peer[%d].", i), of); err != nil {
			return err
		}
	}
	host.Sort(w.Peers, func(a, b WireGuardPeer) int { return strings.Compare(a.PublicKey, b.PublicKey) })
	return firstFault(inRange("listen_port", w.ListenPort, 1, 65535), inRange("fwmark", w.FwMark, 0, 1<<31-1))
}

// validate checks a peer. of tells whose a network, or a key, is already.
func (p *WireGuardPeer) validate(path string, of map[string]string) error {
	if _, ok := host.WireGuardKey(p.PublicKey); !ok {
		return argf(path+"public_key", "%q is not a key of 32 bytes in base64", p.PublicKey)
	}
	if of[p.PublicKey] != "" {
		return argf(path+"public_key", "%s is there twice", p.PublicKey)
	}
	of[p.PublicKey] = p.PublicKey
	if _, ok := host.WireGuardKey(p.PresharedKey); !ok && p.PresharedKey != "" {
		return argf(path+"preshared_key", "it is not a key of 32 bytes in base64, as wg genpsk prints it")
	}
	if p.Endpoint != "" {
		ap, err := netip.ParseAddrPort(p.Endpoint)
		if err != nil || ap.Port() == 0 || ap.Addr().Zone() != "" {
			return argf(path+"endpoint", "%q is not an address and a port, such as 192.0.2.1:51820 or [2001:db8::1]:51820", p.Endpoint)
		}
		p.Endpoint = ap.String()
	}
	if p.PersistentKeepalive < 0 || p.PersistentKeepalive > 65535 {
		return argf(path+"persistent_keepalive", "%d is not between 0 and 65535", p.PersistentKeepalive)
	}
	for i, text := range p.AllowedIPs {
		at := fmt.Sprintf("%sallowed_ips[%d]", path, i)
		prefix, err := netip.ParsePrefix(text)
		if addr, e := netip.ParseAddr(text); e == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return argf(at, "%q is not a network such as 10.9.0.0/24", text)
		}
		p.AllowedIPs[i] = prefix.Masked().String()
		if owner := of[p.AllowedIPs[i]]; owner != "" {
			return argf(at, "%s belongs to peer %s already", p.AllowedIPs[i], owner)
		}
		of[p.AllowedIPs[i]] = p.PublicKey
	}
	if slices.Sort(p.AllowedIPs); len(p.AllowedIPs) == 0 {
		p.AllowedIPs = nil // of a peer, unset is none
	}
	return nil
}

var wireguardBlock = schema.Of(reflect.TypeFor[WireGuard]())

// hide puts digests in the place of secret keys, in what is compared and shown.
func (w *WireGuard) hide(ctx context.Context, h host.Host) error {
	if w.secrets != nil {
		return nil
	}
	w.secrets = map[string]string{}
	key := w.PrivateKey
	if w.PrivateKeyFile != "" {
		b, err := h.Files().Read(ctx, w.PrivateKeyFile, 1<<10)
		if err != nil {
			return err
		}
		key = ptr(strings.TrimSpace(string(b)))
		if _, ok := host.WireGuardKey(*key); !ok {
			return fmt.Errorf("%s holds no key of 32 bytes in base64", w.PrivateKeyFile)
		}
	}
	if key != nil {
		w.PrivateKey = ptr(host.PrivateKeyDigest(*key))
		w.secrets[*w.PrivateKey] = *key
	}
	for i := range w.Peers {
		p := &w.Peers[i]
		digest := host.PresharedKeyDigest(p.PresharedKey)
		w.secrets[digest] = p.PresharedKey
		p.PresharedKey = digest
	}
	return nil
}

func readWireGuard(ctx context.Context, h host.Host, want *WireGuard) (*WireGuard, error) {
	have := &WireGuard{}
	there, err := readVirtual(ctx, h, "wireguard", wireguardBlock, want, have)
	if err != nil {
		return nil, err
	}
	if err := want.hide(ctx, h); err != nil {
		return nil, err
	}
	if !there {
		return nil, nil
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	is, err := n.WireGuards().Get(ctx, want.Name)
	if err != nil {
		return nil, err
	}
	have.PublicKey, have.FwMark, have.Peers = &is.PublicKey, &is.FwMark, []WireGuardPeer{}
	if want.PrivateKey != nil { // else it is nobody's business
		have.PrivateKey = &is.PrivateKey
	}
	if want.ListenPort != nil {
		have.ListenPort = &is.ListenPort
	}
	for _, p := range is.Peers {
		o := WireGuardPeer(p)
		if len(o.AllowedIPs) == 0 {
			o.AllowedIPs = nil
		}
		if at := want.peer(p.PublicKey); at != nil && at.Endpoint == "" {
			o.Endpoint = ""
		}
		have.Peers = append(have.Peers, o)
	}
	return have, nil
}

func (w *WireGuard) peer(key string) *WireGuardPeer {
	for i := range w.Peers {
		if w.Peers[i].PublicKey == key {
			return &w.Peers[i]
		}
	}
	return nil
}

func applyWireGuard(ctx context.Context, h host.Host, have, want *WireGuard, d Diff) error {
	if want == nil {
		return have.deleteDevice(ctx, h, have.Name)
	}
	if err := applyVirtual(ctx, h, "wireguard", wireguardBlock, want, d); err != nil {
		return err
	}
	if have == nil {
		have = &WireGuard{}
	}
	c := host.WireGuardChange{}
	if d.Has("private_key") {
		c.PrivateKey = ptr(want.secrets[*want.PrivateKey])
	}
	if d.Has("listen_port") {
		c.ListenPort = want.ListenPort
	}
	if d.Has("fwmark") {
		c.FwMark = want.FwMark
	}
	if want.Peers != nil {
		for _, p := range want.Peers {
			if is := have.peer(p.PublicKey); is == nil || !reflect.DeepEqual(*is, p) {
				p.PresharedKey = want.secrets[p.PresharedKey]
				c.Peers = append(c.Peers, host.WireGuardPeer(p))
			}
		}
		for _, p := range have.Peers {
			if want.peer(p.PublicKey) == nil {
				c.Remove = append(c.Remove, p.PublicKey)
			}
		}
	}
	if reflect.ValueOf(c).IsZero() {
		return nil
	}
	n, err := want.net(ctx, h)
	if err != nil {
		return err
	}
	return n.WireGuards().Set(ctx, want.Name, c)
}
