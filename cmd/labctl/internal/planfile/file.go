package planfile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"labctl/cmd/labctl/internal/wholefile"
)

// format is raised when what stands in a file changes its meaning.
const format = 1

// magic begins every plan file, of any format.
const magic = `{"labctl_plan":`

// Head is the first line of a file, in clear. All behind it is sealed, together with it.
type Head struct {
	Format  int       `json:"labctl_plan"`
	Labctl  string    `json:"labctl"` // version that has made it
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
	Key     string    `json:"key"`  // ID of the key
	Size    int       `json:"size"` // of what is behind, in bytes
}

// Is reports whether a file is a plan, by how it begins. What cannot be read is none.
func Is(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	begin := make([]byte, len(magic))
	_, err = io.ReadFull(f, begin)
	return err == nil && string(begin) == magic
}

// Free reports why a plan cannot be saved at path: early, since planning may take long.
func Free(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("save the plan: %s is a directory", path)
	case err == nil && !Is(path):
		return fmt.Errorf("save the plan: %s is there already and is no plan: choose another name, or remove it", path)
	case err == nil:
		return nil
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// Save seals a plan and puts it at path, whole or not at all, for its owner's eyes only.
func Save(path string, k Key, labctl string, valid time.Duration, c *Content) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := json.NewEncoder(z).Encode(c); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	aead := k.sealing()
	now := time.Now().UTC().Truncate(time.Millisecond)
	h := Head{Format: format, Labctl: labctl, Made: now, Expires: now.Add(valid), Key: k.ID(), Size: packed.Len() + aead.Overhead()}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	sealed := aead.Seal(append(head, '\n'), nil, packed.Bytes(), head)
	if err := wholefile.Write(wholefile.File{Path: path, Content: sealed, Private: true}); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// Open reads a plan that this labctl has made with the key and nobody has changed since.
func Open(path string, keyFile func() (Key, error), labctl string) (*Head, *Content, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the plan: %w", err)
	}
	head, sealed, whole := bytes.Cut(text, []byte("\n"))
	h := &Head{}
	err = json.Unmarshal(head, h)
	switch {
	case !strings.HasPrefix(string(text), magic):
		return nil, nil, fmt.Errorf("%s is not a saved plan: labctl plan -out FILE makes one", path)
	case !whole:
		return nil, nil, fmt.Errorf("the plan %s is cut off: its first line has no end: plan again", path)
	case err != nil:
		return nil, nil, fmt.Errorf("the plan %s has been changed since it was made: its first line: %w: plan again", path, err)
	case h.Format != format:
		return nil, nil, fmt.Errorf("the plan %s is of format %d, this labctl reads %d: plan again", path, h.Format, format)
	case len(sealed) < h.Size:
		return nil, nil, fmt.Errorf("the plan %s is cut off: %d of %d bytes are there: plan again", path, len(sealed), h.Size)
	}
	k, err := keyFile()
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("open the plan %s: %w: a plan is opened with the key that it was made with (%s)", path, err, KeyVariable)
	case h.Key != k.ID():
		return nil, nil, fmt.Errorf("the plan %s was made with another key than this user has here: %s=FILE names that key, or plan again", path, KeyVariable)
	}
	packed, err := k.sealing().Open(nil, nil, sealed, head)
	if err != nil {
		return nil, nil, fmt.Errorf("the plan %s has been changed since it was made: plan again", path)
	}
	if h.Labctl != labctl {
		return nil, nil, fmt.Errorf("the plan %s was made by labctl %s, this is %s, which may do things in another way: plan again", path, h.Labctl, labctl)
	}
	c, err := unpack(packed)
	if err != nil {
		return nil, nil, fmt.Errorf("read the plan %s: %w", path, err)
	}
	return h, c, nil
}

func unpack(packed []byte) (*Content, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	c := &Content{}
	return c, json.NewDecoder(z).Decode(c)
}

// Expired says that the time of a plan is over.
func (h *Head) Expired(path string, now time.Time) error {
	if now.Before(h.Expires) {
		return nil
	}
	return fmt.Errorf("the plan %s has expired: it was made %s and was good until %s: plan again (--valid-for DURATION lets one live longer)",
		path, h.Made.Local().Format(time.DateTime), h.Expires.Local().Format(time.DateTime))
}
