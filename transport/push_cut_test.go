package transport_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
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

// Who has waited for the agent when the connection ended does not become the agent that the next run brings: it would do what
// it was told before that.
func TestNobodyWaitsBeyondTheConnection(t *testing.T) {
	t.Parallel()
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	b := newScriptBins(t, "echo ran >> $HOME/ran\n", 1000)
	target := me.target(t, "box", s.Addr, s.HostKey)
	first := newPool(t, transport.Options{})
	coming, cut := *b, make(chan struct{})
	coming.read = func(binary []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(binary[:len(binary)/2]), readerFunc(func([]byte) (int, error) {
			<-cut
			return 0, io.ErrUnexpectedEOF
		}))
	}
	p, err := transport.StartAgent(t.Context(), dial(t, first, target), &coming, transport.AgentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); strings.Count(s.Log(), "Starting session") < 3 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	_ = p.Close()
	close(cut)
	_ = first.Close()
	holds(t, filepath.Join(s.Home, ".cache/labctl"))
	if got, err := talk(t, dial(t, newPool(t, transport.Options{}), target), b, transport.AgentOptions{}, "hi"); err != nil || got != greeting("hi") {
		t.Errorf("got %q, %v", got, err)
	}
	time.Sleep(300 * time.Millisecond) // who waits looks ten times a second
	if ran, _ := os.ReadFile(filepath.Join(s.Home, "ran")); string(ran) != "ran\n" {
		t.Errorf("agents that ran: %q", ran)
	}
}
