package modules

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[NFTables]{
		Name: "nftables",
		Doc: "Manages a table of nftables as a whole, as nft(8): its chains, rules and sets. It is compared in the words of nft list table, and replaced " +
			"in one transaction; other tables are left alone. A table that is replaced counts from 0 again. Elements of sets that are dynamic or have " +
			"a timeout come and go by themselves: they are not compared, those given are put in when the table is made or replaced, and those there stay.",
		Example: `nftables "inet filter" {
  content = <<-EOT
    define lan = { 10.0.0.0/8, 192.168.0.0/16 }
    set banned {
      type ipv4_addr
      flags timeout
    }
    chain input {
      type filter hook input priority filter; policy drop;
      ct state established,related accept
      iif lo accept
      ip saddr @banned drop
      ip saddr $lan tcp dport { 22, 80 } accept
    }
  EOT
}`,
		Validate: (*NFTables).validate, Complete: (*NFTables).complete, Read: readNFTables, ReadAbsent: readPresentNFTables, Apply: applyNFTables,
	})
}

// NFTables is a table of nftables. The controller replaces src by content (short text) or sha256 and size.
type NFTables struct {
	InNetNS
	Table   string  `json:"table" lab:"key" doc:"Family and name of the table, such as \"inet filter\"."`
	Src     string  `json:"src,omitempty" lab:"option" doc:"File of the controller with the content, relative to the playbook or to its directory files."`
	Content *string `json:"content,omitempty" lab:"text" doc:"What stands between the braces of the table, or a script of nft that makes the table and no other. The script is run in a namespace of its own: its flush ruleset flushes nothing else."`
	SHA256  string  `json:"sha256,omitempty" lab:"option,filled" doc:"SHA-256 of the content in hexadecimal; filled in from src."`
	Size    int64   `json:"size,omitempty" lab:"option,filled" doc:"Size of the content in bytes; filled in from src."`

	text string // canonical, with all elements
}

var nftFamilies = []string{"inet", "ip", "ip6", "arp", "bridge", "netdev"}

func (t *NFTables) validate() error {
	words := strings.Fields(t.Table)
	letter := func(r rune) bool { return r|32 >= 'a' && r|32 <= 'z' }
	other := func(r rune) bool { return !letter(r) && !strings.ContainsRune("0123456789_.-/", r) }
	switch {
	case len(words) != 2 || !slices.Contains(nftFamilies, words[0]):
		return argf("table", "%q is not a family (%s) and a name, such as \"inet filter\"", t.Table, joinWords(nftFamilies))
	case !letter(rune(words[1][0])) || strings.ContainsFunc(words[1], other):
		return argf("table", "%q is not a name that nft takes: a letter, then letters, digits, and _ . - /", words[1])
	}
	t.Table = strings.Join(words, " ")
	return nil
}

func (t *NFTables) complete() error {
	if t.Content == nil && t.SHA256 == "" && t.Src == "" {
		return argf("content", "content or src is needed")
	}
	return nil
}

// script returns what nft is to run, on the lines where the user has it.
func (t *NFTables) script(ctx context.Context, h host.Host) (string, error) {
	if t.Content == nil {
		r, err := h.Files().Open(ctx, host.Content{SHA256: t.SHA256, Size: t.Size})
		if err != nil {
			return "", err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		t.Content = ptr(string(b))
	}
	if makesTables(*t.Content) {
		return *t.Content, nil
	}
	return "table " + t.Table + " { " + strings.TrimRight(*t.Content, "\n") + "\n}\n", nil
}

// makesTables reports whether a text has commands, rather than what a table is made of.
func makesTables(text string) bool {
	depth := 0
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); depth == 0 && len(words) > 1 && slices.Contains([]string{"table", "add", "create"}, words[0]) {
			return true
		}
		quoted := false
	chars:
		for _, r := range line {
			switch {
			case r == '"':
				quoted = !quoted
			case quoted:
			case r == '#':
				break chars
			case r == '{':
				depth++
			case r == '}':
				depth--
			}
		}
	}
	return false
}

// namedDevices returns the devices that a script may mean by index (iif, oif, hooks of netdev), which must be there.
func namedDevices(ctx context.Context, n host.Net, script string) ([]string, error) {
	words := strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune(" \t\n\"{},;=", r) })
	if !slices.ContainsFunc(words, func(w string) bool { return w == "iif" || w == "oif" || w == "device" || w == "devices" }) {
		return nil, nil
	}
	links, err := n.Links().List(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, l := range links {
		if !l.Loopback && slices.Contains(words, l.Name) {
			out = append(out, l.Name)
		}
	}
	return out, nil
}

func readNFTables(ctx context.Context, h host.Host, want *NFTables) (*NFTables, error) {
	if want.text == "" {
		n, err := want.net(ctx, h)
		if err != nil {
			return nil, err
		}
		script, err := want.script(ctx, h)
		if err != nil {
			return nil, err
		}
		devices, err := namedDevices(ctx, n, script)
		if err != nil {
			return nil, err
		}
		if want.text, err = n.NFTables().Canonical(ctx, want.Table, script, devices); err != nil {
			return nil, err
		}
		stable, _ := host.StableNFTable(want.text)
		want.Content = &stable
	}
	return readPresentNFTables(ctx, h, want)
}

// readPresentNFTables reads the table whatever it should be.
func readPresentNFTables(ctx context.Context, h host.Host, want *NFTables) (*NFTables, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	text, err := n.NFTables().Table(ctx, want.Table)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stable, _ := host.StableNFTable(text)
	return &NFTables{InNetNS: want.InNetNS, Table: want.Table, Content: &stable}, nil
}

func applyNFTables(ctx context.Context, h host.Host, have, want *NFTables, _ Diff) error {
	t := want
	if t == nil {
		t = have
	}
	n, err := t.net(ctx, h)
	if err != nil {
		return err
	}
	if want == nil {
		return n.NFTables().Delete(ctx, t.Table)
	}
	return n.NFTables().Replace(ctx, t.Table, t.text)
}
