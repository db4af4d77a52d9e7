package transport_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

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
