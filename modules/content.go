package modules

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"labctl/modules/digest"
	"labctl/modules/host"
)

// maxShown is the size in bytes up to which the content of a text file is compared, and shown, as text; beyond, by its hash.
const maxShown = 64 << 10

// content is embedded by the modules that put a file with a content in place.
type content struct {
	Content *string `json:"content,omitempty" lab:"text" doc:"The content itself."`
	SHA256  string  `json:"sha256,omitempty" lab:"filled" doc:"SHA-256 of the content in hexadecimal; filled in from src."`
	Size    int64   `json:"size,omitempty" lab:"option,filled" doc:"Size of the content in bytes; filled in from src."`
	fileAttrs
	Force  *bool `json:"force,omitempty" lab:"option" default:"true" doc:"Replace a file that is there; false: only make one that is missing."`
	Backup bool  `json:"backup,omitempty" lab:"option" doc:"Keep the file that is replaced beside it, as NAME.YYYYMMDD-HHMMSS~."`

	inline *string // the content where it is not to be shown: then Content is nil and SHA256 is compared
}

// validateAt checks a file at dest. A dest that ends with / gets the name of src, without suffix.
func (c *content) validateAt(dest *string, src, suffix string) error {
	if strings.HasSuffix(*dest, "/") {
		if src == "" {
			return argf("dest", "%s is a directory: name the file in it", *dest)
		}
		*dest += strings.TrimSuffix(path.Base(src), suffix)
	}
	if err := absolute("dest", *dest); err != nil {
		return err
	}
	if strings.HasSuffix(src, "/") {
		return argf("src", "%s is a directory: copy its files one by one, with for_each and fileset", src)
	}
	return c.validate() // src and content may both be there: the controller passes a short file on so
}

func (c *content) validate() error {
	if c.SHA256 != "" {
		if b, err := hex.DecodeString(c.SHA256); err != nil || len(b) != digest.Size {
			return argf("sha256", "%q is not a SHA-256 in hexadecimal", c.SHA256)
		}
		c.SHA256 = strings.ToLower(c.SHA256)
	}
	if c.Content != nil {
		sum := sumOf([]byte(*c.Content))
		if c.SHA256 != "" && c.SHA256 != sum {
			return argf("sha256", "%s is not that of the content, %s", c.SHA256, sum)
		}
		c.SHA256 = ""
		if !showable(*c.Content) {
			c.inline, c.Content, c.SHA256 = c.Content, nil, sum
		}
	}
	return c.fileAttrs.validate()
}

// showable reports whether a content may appear in a plan: short text, and no private key.
func showable(s string) bool {
	return len(s) <= maxShown && utf8.ValidString(s) && !strings.ContainsRune(s, 0) && !strings.Contains(s, "PRIVATE KEY-----")
}

func sumOf(b []byte) string {
	s := digest.Sum256(b)
	return hex.EncodeToString(s[:])
}

func (c *content) complete(src string) error {
	if c.Content == nil && c.SHA256 == "" && src == "" {
		return argf("content", "content or src is needed")
	}
	return nil
}

// read returns what is at p in the terms of c; nil: nothing.
func (c *content) read(ctx context.Context, h host.Host, p string) (*content, error) {
	st, err := stat(ctx, h, p, true)
	switch {
	case err != nil || st == nil || st.Type == host.SymbolicLink: // a link that leads nowhere: written through
		return nil, err
	case st.Type == host.Directory:
		return nil, fmt.Errorf("%s is a directory: name the file in it", p)
	case st.Type != host.RegularFile:
		return nil, fmt.Errorf("%s is not a regular file", p)
	}
	have := &content{SHA256: st.SHA256, Size: st.Size, fileAttrs: c.fileAttrs.read(*st)}
	switch {
	case c.Force != nil && !*c.Force: // whatever is there is right
		have.Content, have.SHA256 = c.Content, c.SHA256
	case c.Content != nil && sumOf([]byte(*c.Content)) == st.SHA256:
		have.Content = c.Content
	case c.Content != nil && st.Size <= maxShown:
		b, err := h.Files().Read(ctx, p, maxShown)
		if err != nil && !errors.Is(err, syscall.EFBIG) {
			return nil, err
		}
		if text := string(b); err == nil && showable(text) {
			have.Content = &text
		}
	}
	return have, nil
}

// write goes from have to c at p. have may be nil.
func (c *content) write(ctx context.Context, h host.Host, p string, have *content, d Diff) error {
	f := h.Files()
	if have != nil && !d.Has("content") && !d.Has("sha256") {
		st, err := stat(ctx, h, p, false)
		if err != nil || st == nil {
			return err
		}
		return f.SetAttrs(ctx, st.Path, c.set())
	}
	if have != nil && c.Backup {
		if err := backUp(ctx, h, p); err != nil {
			return err
		}
	}
	return inMissingDirectory(f.Write(ctx, p, c.bytes(), c.set()))
}

func (c *content) bytes() host.Content {
	text := c.Content
	if text == nil {
		text = c.inline
	}
	if text == nil { // SHA256 is set: the controller has replaced src
		return host.Content{SHA256: c.SHA256, Size: c.Size}
	}
	return host.Content{Inline: []byte(*text), SHA256: sumOf([]byte(*text)), Size: int64(len(*text))}
}

// backUp keeps the file at p as it is beside it.
func backUp(ctx context.Context, h host.Host, p string) error {
	if err := h.Files().Copy(ctx, p, p+"."+time.Now().Format("20060102-150405")+"~"); err != nil {
		return fmt.Errorf("back up %s: %w", p, err)
	}
	return nil
}
