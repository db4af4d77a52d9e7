package transport_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ulikunitz/xz"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// fakeAgent says hello with its arguments and user, then echoes. Given "ahead" it says so together with the first byte.
const fakeAgent = `package main

import (
	"fmt"
	"io"
	"os"
)
func main() {
	var first [1]byte
	n := 0
	if len(os.Args) > 1 && os.Args[1] == "ahead" {
		n, _ = os.Stdin.Read(first[:])
	}
	fmt.Printf("\x00labctl\x01 args %q uid %d\n%s", os.Args[1:], os.Getuid(), first[:n])
	io.Copy(os.Stdout, os.Stdin)
}
`

// buildAgent builds it for an architecture, once.
func buildAgent(arch string) ([]byte, error) {
	build, _ := builtAgents.LoadOrStore(arch, sync.OnceValues(func() ([]byte, error) { return compileAgent(arch) }))
	return build.(func() ([]byte, error))()
}

var builtAgents sync.Map // of func() ([]byte, error), by architecture

func compileAgent(arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "labctl-fake-agent")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(fakeAgent), 0o600); err != nil {
		return nil, err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "agent"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "agent"))
}

// bins is an Agents of one binary.
type bins struct {
	arch   string
	binary []byte
	forms  []string // it comes in
	hash   string
	opened []string                      // forms
	read   func(packed []byte) io.Reader // may be nil
}

func newBins(t testing.TB) *bins { return newBinsFor(t, runtime.GOARCH) }

func newBinsFor(t testing.TB, arch string) *bins {
	t.Helper()
	binary, err := buildAgent(arch)
	if err != nil {
		t.Fatal(err)
	}
	return binsOf(t, arch, binary)
}

func binsOf(t testing.TB, arch string, binary []byte) *bins {
	// What stands behind an ELF file does not matter to it, and gives the
	// agent of each test a hash of its own.
	binary = append(bytes.Clone(binary), (t.Name() + rand.Text())...)
	sum := sha256.Sum256(binary)
	return &bins{arch: arch, binary: binary, forms: []string{"gzip", ""}, hash: hex.EncodeToString(sum[:])}
}

func (b *bins) Hash(arch string) (string, bool) { return b.hash, arch == b.arch }

func (b *bins) Size(string) int64 { return int64(len(b.binary)) }

func (b *bins) Open(_, form string) (io.ReadCloser, int64, int64, error) {
	if !slices.Contains(b.forms, form) {
		return nil, 0, 0, fmt.Errorf("open %s: %w", form, errors.ErrUnsupported)
	}
	b.opened = append(b.opened, form)
	packed, err := packAs(form, b.binary)
	if err != nil {
		return nil, 0, 0, err
	}
	r := io.Reader(bytes.NewReader(packed))
	if b.read != nil {
		r = b.read(packed)
	}
	return io.NopCloser(r), int64(len(packed)), int64(len(b.binary)), nil
}

func packAs(form string, binary []byte) (packed []byte, err error) {
	var out bytes.Buffer
	var w io.WriteCloser
	switch form {
	case "":
		return binary, nil
	case "gzip":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	}
	if err == nil {
		_, err = w.Write(binary)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// withShell runs commands by shell, with an empty home directory and whatever
// else of the environment, and gives that directory.
func withShell(t testing.TB, shell string, env ...string) (c transporttest.Config, home string) {
	home = t.TempDir()
	c.Exec = func(ctx context.Context, cmd string, stdin io.Reader, stdout, stderr io.Writer) int {
		sh := exec.CommandContext(ctx, shell, "-c", cmd)
		sh.Env = append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}, env...)
		return transporttest.Run(sh, stdin, stdout, stderr)
	}
	return c, home
}

// dialTest connects to an in-process server.
func dialTest(t testing.TB, config transporttest.Config) transport.Conn {
	t.Helper()
	me := newLogin(t)
	s := transporttest.New(t, config)
	return dial(t, newPool(t, transport.Options{}), me.target(t, "a", s.Addr, s.HostKey))
}

// talk starts the agent, writes before it answers, and returns all it said.
func talk(t testing.TB, c transport.Conn, b *bins, o transport.AgentOptions, say string) (string, error) {
	t.Helper()
	p, err := transport.StartAgent(patient(t), c, b, o)
	if err != nil {
		return "", err
	}
	written := make(chan struct{})
	go func() { // the agent echoes: who does not read it cannot write for ever
		defer close(written)
		_, _ = io.WriteString(p.Stdin, say) // an error shows in what comes back
		_ = p.Stdin.Close()
	}()
	out, err := io.ReadAll(p.Stdout)
	<-written
	if err != nil {
		return "", err
	}
	if status, err := p.Wait(); status != 0 || err != nil {
		t.Errorf("status %d, %v; stderr %s", status, err, p.Stderr())
	}
	return string(out), nil
}

func greeting(say string, args ...string) string {
	if args == nil {
		args = []string{}
	}
	return fmt.Sprintf("%s args %q uid %d\n%s", transport.AgentMagic, args, os.Getuid(), say)
}

func needTools(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			lack(t, tool)
		}
	}
}

// lack skips a test, unless every test has to run.
func lack(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}

// holds waits until dir holds these files and no others: a push tidies up
// after the agent has started.
func holds(t testing.TB, dir string, want ...string) {
	t.Helper()
	var names []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		names = nil
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			names = append(names, f.Name())
		}
		if slices.Equal(names, want) {
			return
		}
	}
	t.Errorf("%s holds %q, want %q", dir, names, want)
}

func removeAll(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
