package playbooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"labctl/inventory/secrets"
	"labctl/playbooks/syntax"
)

// maxInline is the size, in bytes, up to which text travels inside of the call; larger content goes by its hash.
const maxInline = 64 << 10

// FileRef is content that a call names by its hash, for the runner to supply when the host lacks it.
type FileRef struct {
	SHA256 string // lower-case hexadecimal
	Size   int64  // bytes
	Path   string // the file on this machine, or ""
	Data   []byte // the content itself, when there is no file
	URL    string // where the runner is to download it from; then Size and Path are not known yet

	secret bool // it begins with a private key
}

// Open returns the content.
func (f FileRef) Open() (io.ReadCloser, error) {
	if f.Path == "" {
		return io.NopCloser(bytes.NewReader(f.Data)), nil
	}
	return os.Open(f.Path)
}

// fileContent is a file that was read once.
type fileContent struct {
	FileRef
	text   *string // nil: too large, or not text
	sealed bool    // it was encrypted, so nobody may see it
	head   []byte  // of a large one
}

// contents caches what was read from files, by path: a thousand hosts take the same one.
type contents struct {
	keys      *secrets.Keys
	mu        sync.Mutex
	files     map[string]fileContent
	errs      map[string]error
	parsed    map[string]hcl.Expression
	faults    map[string]hcl.Diagnostics
	templated map[string]*hcl.File
	warned    map[string]bool
	sealed    map[string]bool // templates that were encrypted
}

func newContents(keys *secrets.Keys) *contents {
	return &contents{
		keys: keys, sealed: map[string]bool{}, files: map[string]fileContent{}, errs: map[string]error{}, parsed: map[string]hcl.Expression{},
		faults: map[string]hcl.Diagnostics{}, templated: map[string]*hcl.File{},
		warned: map[string]bool{},
	}
}

// templates adds the template files read so far to files.
func (c *contents) templates(files map[string]*hcl.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, f := range c.templated {
		files[n] = f
	}
}

func (c *contents) file(path string) (fileContent, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.files[path]; ok {
		return f, c.errs[path]
	}
	f, err := c.read(path)
	c.files[path], c.errs[path] = f, err
	return f, err
}

var errDirectory = errors.New("it is a directory; only single files are copied")

func hashFile(path string) (fileContent, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileContent{}, cause(err)
	}
	if info.IsDir() {
		return fileContent{}, errDirectory
	}
	if !info.Mode().IsRegular() {
		return fileContent{}, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return fileContent{}, cause(err)
	}
	defer f.Close()
	var head bytes.Buffer
	h := sha256.New()
	n, err := io.Copy(h, io.TeeReader(f, &limited{&head, maxInline + 1}))
	if err != nil {
		return fileContent{}, cause(err)
	}
	out := fileContent{FileRef: FileRef{SHA256: hex.EncodeToString(h.Sum(nil)), Size: n, Path: path}}
	if n <= maxInline && utf8.Valid(head.Bytes()) {
		s := head.String()
		out.text = &s
	}
	out.secret = isPrivateKey(head.String())
	if n > maxInline {
		out.head = head.Bytes()[:1<<10]
	}
	return out, nil
}

// limited keeps the first n bytes written to it.
type limited struct {
	buf *bytes.Buffer
	n   int
}

func (l *limited) Write(b []byte) (int, error) {
	if room := l.n - l.buf.Len(); room > 0 {
		l.buf.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

func (c *contents) template(path string) (hcl.Expression, hcl.Diagnostics) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.parsed[path]; ok {
		return e, c.faults[path]
	}
	text, sealed, err := openFile(c.keys, path)
	var e hcl.Expression
	var diags hcl.Diagnostics
	switch {
	case err != nil:
		diags = hcl.Diagnostics{fault(nowhere, "Cannot read template", "Cannot read %s: %s.", path, cause(err))}
	case !utf8.Valid(text):
		diags = hcl.Diagnostics{fault(nowhere, "Cannot read template", "The template %s is not UTF-8 text.", path)}
	default:
		e, diags = syntax.Template(text, path)
		if c.sealed[path] = sealed; sealed {
			diags = hidden(diags)
			break
		}
		c.templated[path] = &hcl.File{Bytes: text}
	}
	c.parsed[path], c.faults[path] = e, diags
	return e, diags
}

// isSealed reports whether a template was encrypted.
func (c *contents) isSealed(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sealed[path]
}

// foreign warns, once, of a template file in another language, at the place that names it.
func (c *contents) foreign(path string, rng hcl.Range) hcl.Diagnostics {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.templated[path]; f != nil && !c.warned[path] {
		c.warned[path] = true
		return foreign(f.Bytes, rng, path+": ")
	}
	return nil
}

// sourced reports whether the task takes the content of a file of this machine.
func (t *Task) sourced() bool {
	b := t.Module.Schema()
	return b.Find("src") != nil && b.Find("content") != nil && b.Find("sha256") != nil
}

// remote names the content that labctl downloads for the host.
func (t *Task) remote(b *body) []FileRef {
	url, _ := b.params["url"].(string)
	sum, _ := b.params["checksum"].(string)
	if b.params["through"] != "controller" || url == "" || t.Module.Schema().Find("checksum") == nil {
		return nil
	}
	return []FileRef{{SHA256: strings.ToLower(strings.TrimPrefix(sum, "sha256:")), URL: url}}
}

func (t *Task) rendered() bool { return t.sourced() && t.Module.Name() == "template" }

// source puts the content of the file that src names, rendered if it is a template, into the parameters.
func (e *evaluation) source(t *Task, b *body, ctx *hcl.EvalContext) []FileRef {
	src, ok := b.params["src"].(string)
	if !ok || !t.sourced() {
		return nil
	}
	rng := b.node.argument("src")
	if _, both := b.params["content"]; both {
		e.fault(rng, "Given twice", "The content comes from src or from content, not from both.")
		return nil
	}
	path, tried := e.site.find(src, rng.Filename, map[bool]string{true: "templates", false: "files"}[t.rendered()], t.dirs)
	if path == "" {
		e.fault(rng, "No such file", "There is no file %s.%s Looked for %s.", src, neighbours(tried[0]), strings.Join(tried, ", "))
		return nil
	}
	if t.rendered() {
		return e.render(path, b, ctx, rng)
	}
	f, err := e.site.contents.asked(path, b)
	if err != nil {
		e.fault(rng, "Cannot read file", "Cannot read %s: %s.", path, err)
		return nil
	}
	return e.put(b, f)
}

// put sets content where it is small text, and hash and size otherwise.
func (e *evaluation) put(b *body, f fileContent) []FileRef {
	e.sensitive = e.sensitive || f.sealed
	if f.text != nil {
		b.params["content"] = *f.text
		return nil
	}
	b.params["sha256"], b.params["size"] = f.SHA256, f.Size
	return []FileRef{f.FileRef}
}

// argument returns where an argument's value is written.
func (n *node) argument(name string) hcl.Range {
	for _, a := range n.args {
		if a.attr.Name == name {
			return a.expr.Range()
		}
	}
	return n.rng
}

// find looks for a file beside the one that names it, and in its files or templates directory, and then likewise in dirs.
func (s *Site) find(name, from, sub string, dirs []string) (path string, tried []string) {
	if filepath.IsAbs(name) || strings.HasPrefix(name, "~/") {
		tried = []string{s.path(name)}
	} else {
		for _, dir := range append([]string{filepath.Dir(from)}, dirs...) {
			for _, p := range []string{filepath.Join(dir, name), filepath.Join(dir, sub, name)} {
				if !slices.Contains(tried, p) {
					tried = append(tried, p)
				}
			}
		}
	}
	for _, p := range tried {
		// One that is there and cannot be read, as a link that leads to itself, is found: whoever reads it says why it cannot.
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return p, tried
		}
	}
	return "", tried
}

// render evaluates a template file in the scope of its task, with the variables of the task on top.
func (e *evaluation) render(path string, b *body, ctx *hcl.EvalContext, rng hcl.Range) []FileRef {
	expr, diags := e.site.contents.template(path)
	if diags.HasErrors() {
		e.diags = append(e.diags, diags...)
		return nil
	}
	e.diags = append(e.diags, e.site.contents.foreign(path, rng)...)
	e.sensitive = e.sensitive || e.site.contents.isSealed(path)
	ctx = ctx.NewChild()
	ctx.Variables = e.templateVars
	if ctx.Variables == nil {
		ctx.Variables = map[string]cty.Value{}
	}
	v, ok := e.value(expr, ctx)
	if !ok {
		return nil
	}
	if !v.IsKnown() {
		e.unknown = append(e.unknown, "content")
		return nil
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil || v.IsNull() {
		e.fault(rng, "Wrong template", "The template %s does not yield text.", path)
		return nil
	}
	text := v.AsString()
	if len(text) <= maxInline {
		b.params["content"] = text
		return nil
	}
	sum := sha256.Sum256([]byte(text))
	return e.put(b, fileContent{FileRef: FileRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Data: []byte(text), secret: isPrivateKey(text)}})
}
