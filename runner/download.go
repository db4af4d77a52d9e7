package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"labctl/playbooks"
)

// downloads are contents that labctl itself downloads for hosts. Each is downloaded once, when the first host asks for it, to a
// file that is gone with the run.
type downloads struct {
	mu    sync.Mutex
	dir   string
	files map[string]*download // by SHA-256
}

type download struct {
	mu   sync.Mutex // held while it is under way
	path string     // "": not there
	size int64
}

// maxSilence is how long a server may take to begin with its answer.
const maxSilence = time.Minute

var web = func() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = maxSilence
	return &http.Client{Transport: t}
}()

// get returns the content as a file of this machine.
func (d *downloads) get(ctx context.Context, ref playbooks.FileRef) (playbooks.FileRef, error) {
	f, err := d.file(ref.SHA256)
	if err != nil {
		return ref, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		path := filepath.Join(d.dir, ref.SHA256)
		if f.size, err = fetchURL(ctx, ref, path); err != nil {
			return ref, fmt.Errorf("download %s: %w", ref.URL, err)
		}
		f.path = path
	}
	ref.Path, ref.Size = f.path, f.size
	return ref, nil
}

func (d *downloads) file(sum string) (*download, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		dir, err := os.MkdirTemp("", "labctl-download-")
		if err != nil {
			return nil, err
		}
		d.dir, d.files = dir, map[string]*download{}
	}
	if d.files[sum] == nil {
		d.files[sum] = &download{}
	}
	return d.files[sum], nil
}

func (d *downloads) close() {
	if d.dir != "" {
		_ = os.RemoveAll(d.dir)
	}
}

// fetchURL writes what is at the URL to path, and returns its size.
func fetchURL(ctx context.Context, ref playbooks.FileRef, path string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ref.URL, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "labctl")
	resp, err := web.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the server says %s", resp.Status)
	}
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer w.Close() //nolint:errcheck // closed below where it matters
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), resp.Body)
	if err != nil {
		return 0, err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != ref.SHA256 {
		return 0, fmt.Errorf("its checksum is sha256:%s, not sha256:%s", sum, ref.SHA256)
	}
	return n, w.Close()
}
