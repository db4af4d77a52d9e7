package agentbin

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/ulikunitz/xz"
)

// agent is one binary and what is made of it, at most once and only when asked for: a hundred
// machines may ask at the same time.
type agent struct {
	header func() (Header, error)
	xz     func() (fs.File, error) // nil if it does not come in this form
	plain  func() (io.ReadCloser, error)
	gzip   func() ([]byte, error)
}

// newEmbedded is an agent of dir. Neither the packed bytes nor a decoder's dictionary are copied
// for each reader; the 4 MB of the binary are kept from the first machine on that has no xz.
func newEmbedded(dir fs.FS, name string) *agent {
	a := &agent{xz: func() (fs.File, error) { return dir.Open(name) }}
	a.header = func() (Header, error) { return readHeader(dir, name) }
	content := sync.OnceValues(a.unpack)
	a.plain = func() (io.ReadCloser, error) {
		b, err := content()
		return io.NopCloser(bytes.NewReader(b)), err
	}
	a.gzip = sync.OnceValues(func() ([]byte, error) { return a.pack(gzip.DefaultCompression) })
	return a
}

func (a *agent) open(form string) (r io.ReadCloser, length int64, err error) {
	switch {
	case form == XZ && a.xz != nil:
		f, err := a.xz()
		if err != nil {
			return nil, 0, err
		}
		info, err := f.Stat()
		return f, info.Size(), err
	case form == Gzip:
		b, err := a.gzip()
		return io.NopCloser(bytes.NewReader(b)), int64(len(b)), err
	case form == Plain:
		h, err := a.header()
		if err != nil {
			return nil, 0, err
		}
		r, err = a.plain()
		return r, h.Size, err
	}
	return nil, 0, errors.ErrUnsupported
}

func (a *agent) unpack() ([]byte, error) {
	h, err := a.header()
	if err != nil {
		return nil, err
	}
	f, err := a.xz()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := xz.ReaderConfig{SingleStream: true}.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	b := bytes.NewBuffer(make([]byte, 0, h.Size+bytes.MinRead)) // room to see the end without growing
	if _, err := b.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return b.Bytes(), nil
}

func (a *agent) pack(level int) ([]byte, error) {
	r, err := a.plain()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, r); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return out.Bytes(), nil
}
