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
	"strings"
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
	p, err := transport.StartAgent(t.Context(), c, b, o)
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

func TestAgentIsPushedOnceFromEveryShell(t *testing.T) {
	for _, shell := range []string{"sh", "dash", "bash", "zsh", "ksh", "mksh", "fish", "tcsh", "csh"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("not tried, because this machine does not have it: %s", shell)
			continue
		}
		t.Run(shell, func(t *testing.T) {
			b := newBins(t)
			config, home := withShell(t, path)
			c := dialTest(t, config)
			for range 2 {
				got, err := talk(t, c, b, transport.AgentOptions{Args: []string{"-v", "two words"}}, "frames")
				if want := greeting("frames", "-v", "two words"); err != nil || got != want {
					t.Fatalf("got %q, %v; want %q", got, err, want)
				}
			}
			if len(b.opened) != 1 {
				t.Errorf("pushed %d times", len(b.opened))
			}
			dir := filepath.Join(home, ".cache/labctl")
			holds(t, dir, "agent-"+b.hash)
			if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}

func TestAgentThroughOpenSSHAndJump(t *testing.T) {
	me := newLogin(t)
	jump := transporttest.NewSSHD(t, me.keys())
	s := transporttest.NewSSHD(t, me.keys())
	target := me.target(t, "a", s.Addr, s.HostKey)
	target.Via = me.target(t, "jump", jump.Addr, jump.HostKey)
	c := dial(t, newPool(t, transport.Options{}), target)
	b := newBins(t)
	say := strings.Repeat("x", 5<<20) // more than the window of the channel
	for range 2 {
		if got, err := talk(t, c, b, transport.AgentOptions{}, say); err != nil || got != greeting(say) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	if len(b.opened) != 1 {
		t.Errorf("pushed %d times", len(b.opened))
	}
}

func TestFirstFlightIsBounded(t *testing.T) {
	config, _ := withShell(t, "/bin/sh")
	c := dialTest(t, config)
	p, err := transport.StartAgent(t.Context(), c, newBins(t), transport.AgentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB
	go func() {
		for rest := want; rest != ""; rest = rest[1<<20:] {
			if _, err := io.WriteString(p.Stdin, rest[:1<<20]); err != nil {
				t.Error(err)
				return
			}
		}
		_ = p.Stdin.Close()
	}()
	got, err := io.ReadAll(p.Stdout)
	if err != nil || string(got) != greeting(want) {
		t.Errorf("%d bytes came back: %v", len(got), err)
	}
}

func TestAgentLocally(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	c := transport.Local()
	t.Cleanup(func() {
		_ = c.Close()
		noGoroutines(t)
	})
	b := newBins(t)
	for range 2 {
		if got, err := talk(t, c, b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if len(b.opened) != 1 {
		t.Errorf("pushed %d times", len(b.opened))
	}
}

func TestNoiseOfLoginScripts(t *testing.T) {
	config, _ := withShell(t, "/bin/sh")
	quiet := config.Exec
	noise := strings.Repeat("Welcome to this machine!\n", 1000)
	config.Exec = func(ctx context.Context, cmd string, stdin io.Reader, stdout, stderr io.Writer) int {
		_, _ = io.WriteString(stdout, noise)
		return quiet(ctx, cmd, stdin, stdout, stderr)
	}
	c := dialTest(t, config)
	if got, err := talk(t, c, newBins(t), transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	noise = strings.Repeat(noise, 10)
	_, err := talk(t, c, newBins(t), transport.AgentOptions{}, "")
	if err == nil {
		t.Fatal("endless noise is no error")
	}
	mention(t, err, "login scripts", "Welcome")
}

// The agent travels in the best form that it comes in and that the machine can
// unpack.
func TestFormsOfPush(t *testing.T) {
	needTools(t, "xz", "unxz", "gzip")
	all, self := []string{"xz", "gzip", ""}, []string{"gzip", ""}
	for _, test := range []struct {
		name    string
		forms   []string
		without []string // programs
		want    string
	}{
		{"all", all, nil, "xz"},
		{"unxz", all, []string{"xz"}, "xz"},
		{"gzip", all, []string{"xz", "unxz"}, "gzip"},
		{"nothing", all, []string{"xz", "unxz", "gzip", "sha256sum"}, ""},
		{"no xz to send", self, nil, "gzip"},
		{"no xz to send and no gzip", self, []string{"gzip"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			config, _ := withShell(t, "/bin/sh", "PATH="+pathWithout(t, test.without...))
			b := newBins(t)
			b.forms = test.forms
			if got, err := talk(t, dialTest(t, config), b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
				t.Errorf("got %q, %v", got, err)
			}
			if want := []string{test.want}; !slices.Equal(b.opened, want) {
				t.Errorf("went as %q, want %q", b.opened, want)
			}
		})
	}
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

// pathWithout is a PATH with every program of this machine but some.
func pathWithout(t testing.TB, names ...string) string {
	dir := t.TempDir()
	for _, from := range []string{"/usr/bin", "/bin"} {
		programs, _ := os.ReadDir(from)
		for _, p := range programs {
			_ = os.Symlink(filepath.Join(from, p.Name()), filepath.Join(dir, p.Name()))
		}
	}
	for _, n := range names {
		_ = os.Remove(filepath.Join(dir, n))
	}
	return dir
}

// A push that is cut off leaves nothing under the agent's name, and the next
// one is not disturbed by it.
func TestPushCutOff(t *testing.T) {
	config, home := withShell(t, "/bin/sh")
	me := newLogin(t)
	s := transporttest.New(t, config)
	p := newPool(t, transport.Options{})
	target := me.target(t, "a", s.Addr, s.HostKey)
	b := newBins(t)
	half := make(chan struct{})
	b.read = func(gz []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(gz[:len(gz)/2]), readerFunc(func([]byte) (int, error) {
			close(half)
			time.Sleep(50 * time.Millisecond)
			s.CloseConnections()
			return 0, io.ErrUnexpectedEOF
		}))
	}
	_, err := talk(t, dial(t, p, target), b, transport.AgentOptions{}, "hi")
	<-half
	if err == nil {
		t.Fatal("a push cut off is no error")
	}
	t.Logf("message: %v", err)
	agent := filepath.Join(home, ".cache/labctl/agent-"+b.hash)
	if _, err := os.Stat(agent); err == nil {
		t.Error("half an agent is there")
	}
	b.read = nil
	if got, err := talk(t, dial(t, p, target), b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestPushRemovesOldAgentsAndLeftovers(t *testing.T) {
	config, home := withShell(t, "/bin/sh")
	dir := filepath.Join(home, ".cache/labctl")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, days := range map[string]int{"agent-old": 40, "agent-young": 20, ".push-old.1": 3, ".push-now.2": 0, "other": 99} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		then := time.Now().AddDate(0, 0, -days)
		_ = os.Chtimes(path, then, then)
	}
	b := newBins(t)
	if _, err := talk(t, dialTest(t, config), b, transport.AgentOptions{}, ""); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, ".push-now.2", "agent-"+b.hash, "agent-young", "other")
}

func TestCorruptPushIsRefused(t *testing.T) {
	config, home := withShell(t, "/bin/sh")
	b := newBins(t)
	other := bytes.Clone(b.binary)
	other[len(other)/2] ^= 1
	b.read = func([]byte) io.Reader {
		gz, err := packAs("gzip", other)
		if err != nil {
			t.Error(err)
		}
		return bytes.NewReader(gz)
	}
	_, err := talk(t, dialTest(t, config), b, transport.AgentOptions{}, "")
	if err == nil {
		t.Fatal("no error")
	}
	mention(t, err, "push agent", "wrong sha256")
	holds(t, filepath.Join(home, ".cache/labctl"))
}

func TestConcurrentPushes(t *testing.T) {
	config, home := withShell(t, "/bin/sh")
	c := dialTest(t, config)
	b := newBins(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			own := *b // each counts for itself
			if got, err := talk(t, c, &own, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	holds(t, filepath.Join(home, ".cache/labctl"), "agent-"+b.hash)
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

// Directories of others, and those that others may enter, are not used.
func TestForeignDirectoryIsNotUsed(t *testing.T) {
	elsewhere := t.TempDir()
	cache := filepath.Join(t.TempDir(), "cache")
	config, _ := withShell(t, "/bin/sh", "XDG_CACHE_HOME="+cache)
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(cache, "labctl")); err != nil {
		t.Fatal(err)
	}
	if got, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	if files, _ := os.ReadDir(elsewhere); len(files) != 0 {
		t.Errorf("the agent went through a symbolic link: %v", files)
	}
}

// An agent that others could have put there is not run, however it is called.
func TestPlantedAgentIsNotRun(t *testing.T) {
	cache := t.TempDir()
	config, home := withShell(t, "/bin/sh", "XDG_CACHE_HOME="+cache)
	b := newBins(t)
	dir := filepath.Join(cache, "labctl")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "agent-"+b.hash), []byte("#!/bin/sh\nprintf '\\0labctl\\1planted'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	if got, err := talk(t, dialTest(t, config), b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	holds(t, filepath.Join(home, ".cache/labctl"), "agent-"+b.hash)
}

func TestSudo(t *testing.T) {
	fake := func(script string) (transporttest.Config, string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
		return withShell(t, "/bin/sh", "PATH="+dir+":"+os.Getenv("PATH"))
	}
	t.Run("password", func(t *testing.T) {
		config, _ := fake("echo 'sudo: a password is required' >&2; exit 1\n")
		_, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{Become: &transport.Become{User: "daemon"}}, "hi")
		var e *transport.AgentError
		if !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		mention(t, err, "sudo: a password is required", "NOPASSWD", "daemon")
		t.Logf("message: %v", err)
	})
	t.Run("works", func(t *testing.T) {
		config, _ := fake(`[ "$1 $2 $3 $4 $5" = "-n -H -u daemon --" ] || exit 9; shift 5; exec "$@"` + "\n")
		got, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{Become: &transport.Become{User: "daemon"}}, "hi")
		if err != nil || got != greeting("hi") {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("not needed", func(t *testing.T) {
		me, err := exec.Command("id", "-un").Output()
		if err != nil {
			t.Fatal(err)
		}
		config, _ := fake("exit 9\n")
		got, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{Become: &transport.Become{User: strings.TrimSpace(string(me))}}, "hi")
		if err != nil || got != greeting("hi") {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestUnknownMachineType(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "uname"), []byte("#!/bin/sh\necho vax\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	config, _ := withShell(t, "/bin/sh", "PATH="+dir+":"+os.Getenv("PATH"))
	_, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{}, "hi")
	if err == nil {
		t.Fatal("no error")
	}
	mention(t, err, "no agent for machine type vax")
}

func TestAgentThatNeverAnswers(t *testing.T) {
	config, _ := withShell(t, "/bin/sh")
	config.Exec = func(ctx context.Context, _ string, _ io.Reader, _, _ io.Writer) int {
		<-ctx.Done()
		return 0
	}
	_, err := talk(t, dialTest(t, config), newBins(t), transport.AgentOptions{HelloTimeout: 50 * time.Millisecond}, "hi")
	if err == nil {
		t.Fatal("no error")
	}
	mention(t, err, "no answer within 50ms")
}

func removeAll(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
